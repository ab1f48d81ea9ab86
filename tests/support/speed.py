"""What makes every test faster."""

from __future__ import annotations

import gc
import importlib
from collections import deque
from collections.abc import Iterator

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Import another part of the test modules first in each worker.

    The workers start together. In a new checkout all would import the modules in the same order,
    and each would compile every module with the assertions that pytest rewrites. Now each reads
    what the others have compiled.
    """
    config = session.config
    if not hasattr(config, "workerinput"):
        return
    number = int(config.workerinput["workerid"].removeprefix("gw"))
    folders = [path for path in map(config.rootpath.joinpath, config.args) if path.is_dir()]
    modules = sorted(module for folder in folders for module in folder.rglob("test_*.py"))
    for module in modules[number :: config.workerinput["workercount"]]:
        importlib.import_module(".".join(module.relative_to(config.rootpath).with_suffix("").parts))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking through thousands of collected tests.

    What tests leave behind is freed by counting references, apart from a few cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let no long test start last, when the other workers have nothing left to do.

    xdist gives each worker the same number of tests, in their order. Each gets its share of the
    long ones, spread over the first half of its tests: idle workers take from the second half.
    """
    if not hasattr(config, "workerinput"):
        return
    workers: int = config.workerinput["workercount"]
    long_tests = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    left = len(items)
    items.clear()
    for number in range(workers):
        share = long_tests[number::workers]
        size = left // (workers - number)
        left -= size
        tests, others = others[: size - len(share)], others[size - len(share) :]
        items += spread(share, tests)


def spread(long_tests: list[pytest.Item], tests: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Insert long tests between the modules of the first half of other tests."""
    distance = len(tests) // 2 // max(len(long_tests), 1)
    waiting = deque(enumerate(long_tests))
    path = None
    for position, test in enumerate(tests):
        while waiting and test.path != path and position >= waiting[0][0] * distance:
            yield waiting.popleft()[1]
        path = test.path
        yield test
    yield from (test for _, test in waiting)
