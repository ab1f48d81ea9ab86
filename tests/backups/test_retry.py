"""A retry reads again what an earlier backup missed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backups import sets
from backups.models import BackupSchedule, BackupSet, SetStatus
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
)

pytestmark = pytest.mark.django_db

BackUp = Callable[[BackupSchedule], OperationRun]
Repeat = Callable[[OperationRun], OperationRun]


def test_a_kind_that_was_forbidden_is_read_and_the_new_set_is_complete(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "forbid", kind="conditional_access")
    earlier = back_up(schedule)
    graph.clear()
    graph.clear_log()

    run = retry(earlier)

    made, parent = run.backup_set, earlier.backup_set
    assert run.type == OperationRunType.BACKUP_SCHEDULE_RETRY
    assert run.retry_of == earlier
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (run.counts.total, run.counts.succeeded) == (2, 2)
    assert (made.status, made.parent, made.item_count) == (SetStatus.COMPLETE, parent, 7)
    assert set(made.items.values_list("version", flat=True)) >= set(
        parent.items.values_list("version", flat=True)
    )
    assert {kind for _, kind in graph.counts(schedule.tenant.external_id)} <= {
        "conditional_access",
        "token",
        "sign_in",
        "",
    }


def test_a_kind_that_had_no_license_is_tried_again(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
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


def test_only_the_objects_that_were_incomplete_are_read_again(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
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


def test_what_still_fails_stays_missing_and_can_be_retried_again(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
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


def test_a_missed_object_that_is_gone_by_now_is_skipped(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
) -> None:
    tenant_id = schedule.tenant.external_id
    graph.fault(tenant_id, "short_settings", times=2)
    earlier = back_up(schedule)
    missed = earlier.backup_set.items.incomplete().get()
    graph.clear()
    graph.delete_object(tenant_id, "settings_catalog", missed.graph_id)

    run = retry(earlier)

    assert (run.outcome, run.counts.skipped) == (RunOutcome.SUCCEEDED, 1)
    assert run.backup_set.is_complete
    assert run.backup_set.item_count == 6


def test_a_blocked_run_is_repeated_as_a_whole(
    schedule: BackupSchedule, back_up: BackUp, retry: Repeat, graph: SandboxControl
) -> None:
    graph.fault(schedule.tenant.external_id, "revoke_credential")
    earlier = back_up(schedule)
    again = retry(earlier)
    graph.clear()

    run = retry(again)

    assert again.outcome == RunOutcome.BLOCKED
    assert (run.outcome, run.counts.succeeded) == (RunOutcome.SUCCEEDED, 7)
    assert run.backup_set.parent is None


def test_the_work_of_a_worker_that_died_is_taken_over(
    schedule: BackupSchedule,
    back_up: BackUp,
    retry: Repeat,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = sets.store
    stored: list[str] = []

    def store_and_die(*args: object) -> str:
        if len(stored) == 4:
            raise MemoryError
        stored.append(original(*args))  # type: ignore[arg-type]
        return stored[-1]

    with monkeypatch.context() as context:
        context.setattr(sets, "store", store_and_die)
        context.setattr(sets, "finish", lambda backup_set: None)
        earlier = back_up(schedule)
    assert earlier.outcome == RunOutcome.FAILED
    assert earlier.backup_set.status == SetStatus.BUILDING

    run = retry(earlier)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert (run.counts.total, run.backup_set.item_count) == (3, 7)
    assert run.backup_set.is_complete
    assert BackupSet.objects.get(pk=earlier.backup_set.pk).status == SetStatus.INCOMPLETE


def test_a_set_of_another_tenant_is_never_continued(
    schedule: BackupSchedule, retry: Repeat, operator: object
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
