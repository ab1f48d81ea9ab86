"""Declared operations are complete, consistent and checked at startup."""

from __future__ import annotations

import datetime as dt
import functools

import pytest
from django.conf import settings
from django.core.checks import run_checks

from config.celery import app
from operations.catalog import OperationCatalog, Queue, Retry
from operations.handlers import get_handler, operation
from operations.testing import override_handler, remove_operation
from operations.types import OperationRunType
from tenancy.roles import Capability

RUN_NOW = OperationRunType.BACKUP_SCHEDULE_RUN_NOW
declare = functools.partial(
    operation,
    label="Backup now",
    description="A test.",
    required_capability=Capability.START_BACKUP,
)


#: Values stored by existing installations. A new type needs no entry here.
STORED_VALUES = {
    "provider_connection.check",
    "inventory.sync",
    "directory_groups.sync",
    "directory_role_definitions.sync",
    "workspace.inventory_sync",
    "backup_schedule.scheduled",
    "backup_schedule.run_now",
    "backup_schedule.retry",
    "backup_set.add_policies",
    "policy.export",
    "restore.preview",
    "restore.execute",
    "operations.prune",
}


def test_stored_values_never_change() -> None:
    assert set(OperationRunType) >= STORED_VALUES


def test_every_type_has_a_catalog_entry() -> None:
    assert set(OperationCatalog.all()) == set(OperationRunType)


def test_an_undeclared_type_fails_the_system_checks() -> None:
    with remove_operation(RUN_NOW):
        problems = {problem.id: problem.msg for problem in run_checks()}

    assert problems["operations.E001"] == f"No app declares the operation {RUN_NOW}."


def test_a_declaration_adds_the_entry_and_the_handler() -> None:
    with remove_operation(RUN_NOW):
        declare(RUN_NOW)(print)

        assert get_handler(RUN_NOW) is print
        assert OperationCatalog.get(RUN_NOW).label == "Backup now"


def test_a_second_declaration_of_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="is already declared"):
        declare(RUN_NOW)(print)


def test_the_error_about_a_missing_handler_names_the_type() -> None:
    with override_handler(RUN_NOW, None), pytest.raises(LookupError, match=RUN_NOW):
        get_handler(RUN_NOW)


def test_an_unknown_type_is_shown_by_its_stored_name() -> None:
    assert OperationCatalog.find("teleport.execute") is None
    assert OperationCatalog.label("teleport.execute") == "teleport.execute"


@pytest.mark.parametrize("run_type", OperationRunType)
def test_a_catalog_entry_is_consistent(run_type: OperationRunType) -> None:
    entry = OperationCatalog.get(run_type)

    assert entry.label
    assert entry.description.endswith(".")
    assert (
        entry.expected_duration is None
        or dt.timedelta() < entry.expected_duration < entry.time_limit
    )
    assert entry.start_deadline > dt.timedelta(seconds=settings.RUN_RELAY_AFTER_SECONDS)
    assert entry.retry_as is None or OperationCatalog.find(entry.retry_as)
    assert len(run_type) <= 64


@pytest.mark.parametrize("run_type", OperationRunType)
def test_a_retry_belongs_to_the_identity_group_of_its_original(run_type: OperationRunType) -> None:
    entry = OperationCatalog.get(run_type)

    if entry.retry is not Retry.NEVER:
        group = OperationCatalog.identity_group
        assert group(entry.retry_as or run_type) == group(run_type)


def test_celery_declares_every_queue_of_the_catalog() -> None:
    queues = {queue.name for queue in app.conf.task_queues}

    assert queues == {queue.value for queue in Queue} | {"ticks", "notifications"}
