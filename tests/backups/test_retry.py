"""A retry reads only what an earlier backup missed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backups import reading, sets
from backups.models import BackupSchedule, BackupSet, SetStatus
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from tenancy.models import Tenant, TenantStatus, User
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
)

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]
Retry = Callable[[OperationRun], OperationRun]


def test_a_forbidden_kind_is_read_and_the_new_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "forbid", kind="conditional_access")
    earlier = back_up(schedule)
    graph.clear()
    graph.clear_log()

    run = retry(earlier)

    backup_set, parent = run.backup_set, earlier.backup_set
    assert run.type == OperationRunType.BACKUP_SCHEDULE_RETRY
    assert run.retry_of == earlier
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (run.counts.total, run.counts.succeeded) == (2, 2)
    assert (backup_set.status, backup_set.parent, backup_set.item_count) == (
        SetStatus.COMPLETE,
        parent,
        7,
    )
    assert set(backup_set.items.values_list("version", flat=True)) >= set(
        parent.items.values_list("version", flat=True)
    )
    assert {kind for _, kind in graph.counts(schedule.tenant.external_id)} <= {
        "conditional_access",
        "token",
        "sign_in",
        "",
    }


def test_a_kind_without_a_license_is_read_again(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    tenant = schedule.tenant.external_id
    graph.fault(tenant, "license", kind="conditional_access")
    graph.fault(tenant, "forbid", kind="compliance")
    earlier = back_up(schedule)
    graph.clear()

    run = retry(earlier)

    assert earlier.backup_set.unlicensed_kinds == ["conditional_access"]
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert sorted(run.backup_set.listed_kinds) == sorted(schedule.kinds)
    assert run.backup_set.unlicensed_kinds == []


def test_only_incomplete_objects_are_read_again(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "short_settings")
    earlier = back_up(schedule)
    missed = earlier.backup_set.incomplete_count
    graph.clear()

    run = retry(earlier)

    assert 0 < missed < 7
    assert run.outcome == RunOutcome.SUCCEEDED
    assert (run.counts.total, run.counts.succeeded) == (missed, missed)
    assert run.backup_set.is_complete


def test_what_fails_again_stays_missing_and_can_be_retried(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "forbid", kind="compliance")
    earlier = back_up(schedule)

    second = retry(earlier)
    graph.clear()
    third = retry(second)

    assert second.outcome == RunOutcome.FAILED
    assert second.backup_set.status == SetStatus.INCOMPLETE
    assert third.outcome == RunOutcome.SUCCEEDED
    assert third.backup_set.parent == second.backup_set
    assert third.backup_set.item_count == 7


def test_a_missed_object_that_was_deleted_since_is_skipped(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    tenant_id = schedule.tenant.external_id
    first = graph.objects(tenant_id, "compliance")[0]
    graph.put_object(tenant_id, "compliance", {**first, "scheduledActionsForRule": []})
    earlier = back_up(schedule)
    missed = earlier.backup_set.items.incomplete().get()
    graph.delete_object(tenant_id, "compliance", missed.graph_id)

    run = retry(earlier)

    assert (run.outcome, run.counts.skipped) == (RunOutcome.SUCCEEDED, 1)
    assert run.backup_set.is_complete
    assert run.backup_set.item_count == 6


def test_the_retry_of_a_blocked_run_is_a_full_backup(
    schedule: BackupSchedule, back_up: BackUp, retry: Retry, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "revoke_credential")
    earlier = back_up(schedule)
    again = retry(earlier)
    graph.clear()

    run = retry(again)

    assert again.outcome == RunOutcome.BLOCKED
    assert (run.outcome, run.counts.succeeded) == (RunOutcome.SUCCEEDED, 7)
    assert run.backup_set.parent is None


def test_a_retry_keeps_what_a_worker_that_died_had_read(
    schedule: BackupSchedule,
    back_up: BackUp,
    retry: Retry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = sets.store_complete
    stored: list[str] = []

    def store_and_die(*args: Any) -> list[str]:
        if len(stored) == 4:
            raise MemoryError
        changes = original(*args)
        stored.extend(changes)
        return changes

    with monkeypatch.context() as context:
        context.setattr(reading, "STORED_AT_ONCE", 1)
        context.setattr(sets, "store_complete", store_and_die)
        context.setattr(sets, "finish", lambda backup_set: None)
        earlier = back_up(schedule)
    assert earlier.outcome == RunOutcome.FAILED
    assert earlier.backup_set.status == SetStatus.BUILDING

    run = retry(earlier)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert (run.counts.total, run.backup_set.item_count) == (3, 7)
    assert run.backup_set.is_complete
    assert BackupSet.objects.get(pk=earlier.backup_set.pk).status == SetStatus.INCOMPLETE


def test_a_retry_never_uses_the_set_of_another_tenant(
    schedule: BackupSchedule, retry: Retry, operator: object
) -> None:
    foreign = BackupItemFactory(
        backup_set=BackupSetFactory(
            schedule=BackupScheduleFactory(tenant__workspace=schedule.workspace)
        )
    ).backup_set
    queued = OperationRunService().dispatch_or_fail(
        OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
        workspace=schedule.workspace,
        tenant=schedule.tenant,
        inputs={"backup_schedule_id": foreign.schedule_id},
        context={"backup_schedule_id": foreign.schedule_id},
    )

    run = run_now(queued.run)

    assert run.failures[0]["code"] == "schedule_gone"


def test_a_run_again_reads_everything_and_its_retry_continues_only_its_own_set(
    schedule: BackupSchedule,
    back_up: BackUp,
    retry: Retry,
    graph: SandboxControl,
    operator: User,
) -> None:
    green = back_up(schedule)
    service = OperationRunService()
    Tenant.objects.filter(pk=schedule.tenant_id).update(status=TenantStatus.SUSPENDED)
    blocked = run_now(service.run_again(green, by=operator).run)
    Tenant.objects.filter(pk=schedule.tenant_id).update(status=TenantStatus.ACTIVE)
    graph.clear_log()

    run = retry(blocked)

    assert blocked.type == OperationRunType.BACKUP_SCHEDULE_RUN_NOW
    assert (blocked.outcome, blocked.retry_of) == (RunOutcome.BLOCKED, green)
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert run.counts.total == green.counts.total
    assert run.backup_set.parent is None
    kinds = {kind for _, kind in graph.counts(schedule.tenant.external_id)}
    assert {"compliance", "conditional_access"} <= kinds
