"""A mistake in the registries stops the start, not an operator."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.core.checks import run_checks

from config.celery import app
from operations import catalog, handlers
from operations.catalog import OperationCatalog, Queue, Retry
from operations.checks import every_type_is_registered
from operations.delivery.publisher import GRACE_SECONDS
from operations.handlers import get_handler, handles
from operations.types import OperationRunType

RUN_NOW = OperationRunType.BACKUP_SCHEDULE_RUN_NOW


def problems() -> list[str]:
    return [f"{problem.id} {problem.msg}" for problem in every_type_is_registered()]


def test_every_type_has_an_entry() -> None:
    assert set(OperationCatalog.all()) == set(OperationRunType)


def test_the_registries_are_among_the_system_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(catalog._ENTRIES, RUN_NOW)

    assert "operations.E001" in {problem.id for problem in run_checks()}


def test_a_type_without_an_entry_fails_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(catalog._ENTRIES, RUN_NOW)

    assert f"operations.E001 {RUN_NOW} has no entry in operations/catalog.py." in problems()


def test_a_type_without_a_handler_fails_the_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(handlers._HANDLERS, RUN_NOW, raising=False)

    assert f"operations.E002 {RUN_NOW} has no handler." in problems()


def test_a_type_has_one_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_HANDLERS", {})
    handles(RUN_NOW)(print)

    with pytest.raises(ValueError, match="has a handler already"):
        handles(RUN_NOW)(lambda active: None)


def test_registering_a_handler_twice_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_HANDLERS", {})

    handles(RUN_NOW)(handles(RUN_NOW)(print))

    assert get_handler(RUN_NOW) is print


def test_a_type_that_nobody_handles_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_HANDLERS", {})

    with pytest.raises(LookupError, match=RUN_NOW):
        get_handler(RUN_NOW)


def test_a_type_of_another_version_is_shown_by_its_name() -> None:
    assert OperationCatalog.find("teleport.execute") is None
    assert OperationCatalog.label("teleport.execute") == "teleport.execute"


@pytest.mark.parametrize("run_type", OperationRunType)
def test_an_entry_can_be_lived_with(run_type: OperationRunType) -> None:
    entry = OperationCatalog.get(run_type)

    assert entry.label
    assert entry.description.endswith(".")
    assert entry.expected is None or dt.timedelta() < entry.expected < entry.time_limit
    assert entry.start_deadline > dt.timedelta(seconds=settings.RUN_RELAY_AFTER_SECONDS)
    assert entry.retry_as is None or OperationCatalog.find(entry.retry_as)
    assert len(run_type) <= 64


@pytest.mark.parametrize("run_type", OperationRunType)
def test_a_retry_has_the_identity_of_what_it_repeats(run_type: OperationRunType) -> None:
    entry = OperationCatalog.get(run_type)

    if entry.retry is not Retry.NEVER:
        group = OperationCatalog.identity_group
        assert group(entry.retry_as or run_type) == group(run_type)


@pytest.mark.parametrize("run_type", OperationRunType)
def test_the_broker_never_hands_out_running_work_again(run_type: OperationRunType) -> None:
    limit = OperationCatalog.get(run_type).time_limit.total_seconds() + GRACE_SECONDS

    assert limit < settings.VISIBILITY_TIMEOUT_SECONDS


def test_workers_know_every_queue_of_the_catalog() -> None:
    queues = {queue.name for queue in app.conf.task_queues}

    assert queues == {queue.value for queue in Queue} | {"ticks"}
