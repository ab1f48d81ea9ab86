"""Mark tests by their directory and fixtures, so that `make test-fast` excludes the slow ones."""

from __future__ import annotations

import pytest

BY_DIRECTORY = {"browser": "browser", "chaos": "chaos", "integration": "integration"}
BY_FIXTURE = {
    "browser": "browser",
    "use_broker": "integration",
    "make_stack": "integration",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a browser, a broker or a worker."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        names = {mark for fixture, mark in BY_FIXTURE.items() if fixture in fixtures}
        if mark := BY_DIRECTORY.get(item.path.parent.name):
            names.add(mark)
        for name in names:
            item.add_marker(name)
