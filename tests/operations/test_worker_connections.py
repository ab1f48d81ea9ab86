"""A worker keeps its database connections between two tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import task_postrun, task_prerun, worker_init, worker_process_init

from config.celery import app, keep_connections

FIXUP: Any = app._fixups[0]  # type: ignore[attr-defined]


def receivers(signal: Any) -> list[Any]:
    return [receiver() for _, receiver in signal.receivers]


@pytest.fixture
def worker_fixup(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What Celery installs when a worker starts, without closing the connections of this process."""
    fixup = FIXUP.worker_fixup
    monkeypatch.setattr(type(fixup), "_close_database", lambda _self: None)
    fixup.install()
    yield fixup
    for signal in (task_prerun, task_postrun, worker_process_init):
        for receiver in receivers(signal):
            if getattr(receiver, "__self__", None) is fixup:
                signal.disconnect(receiver)


def test_no_connection_is_closed_before_or_after_a_task(worker_fixup: Any) -> None:
    keep_connections()

    assert worker_fixup.on_task_prerun not in receivers(task_prerun)
    assert worker_fixup.on_task_postrun not in receivers(task_postrun)
    # A new process forgets those of its parent.
    assert worker_fixup.on_worker_process_init in receivers(worker_process_init)


def test_that_follows_the_receiver_of_celery() -> None:
    called = receivers(worker_init)

    assert called.index(FIXUP.on_worker_init) < called.index(keep_connections)
