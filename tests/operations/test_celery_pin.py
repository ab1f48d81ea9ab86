"""A gate: which Celery the workers survive with."""

from __future__ import annotations

import importlib.metadata


def test_celery_is_one_whose_worker_survives_its_broker() -> None:
    """A 5.7.0 worker ends when the broker goes away during a task with `acks_late`.

    Before this line is changed: `make chaos` on the new version, with “broker killed” and “broker
    frozen” among its faults, must be green twice, and its workers must not have been started again
    more often than they were killed.
    """
    version = importlib.metadata.version("celery")

    assert version.startswith("5.6."), f"Celery {version} has not been through the campaign"
