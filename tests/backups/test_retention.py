"""Which backup sets retention deletes, and which it never deletes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.utils import timezone

from backups import retention
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyVersion, SetStatus
from backups.retention import expired_sets
from dev.graph_sandbox.control import SandboxControl
from operations.models import OperationRun
from operations.states import RunOutcome
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyVersionFactory,
    finish,
)

pytestmark = pytest.mark.django_db


def make_set(
    schedule: BackupSchedule, days_ago: int, status: SetStatus = SetStatus.COMPLETE
) -> BackupSet:
    at = timezone.now() - dt.timedelta(days=days_ago)
    item = BackupItemFactory(backup_set=BackupSetFactory(schedule=schedule, started_at=at))
    return finish(item.backup_set, status, ended_at=at, item_count=1)


def test_the_newest_complete_sets_are_kept_whatever_their_age() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=2, retention_keep_days=10)
    oldest, _, _ = (make_set(schedule, days) for days in (300, 200, 100))

    assert expired_sets(schedule) == [oldest]


def test_only_complete_sets_count() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1, retention_keep_days=10)
    make_set(schedule, 100)
    failed = make_set(schedule, 50, SetStatus.FAILED)
    make_set(schedule, 5, SetStatus.INCOMPLETE)

    assert expired_sets(schedule) == [failed]


def test_recent_sets_are_kept_whatever_their_number() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1, retention_keep_days=10)
    for days in (9, 6, 3):
        make_set(schedule, days)

    assert expired_sets(schedule) == []


def test_the_last_complete_set_of_a_tenant_is_always_kept() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1, retention_keep_days=1)
    only = make_set(schedule, 100)

    assert expired_sets(schedule) == []
    assert retention.delete_set(only) is False


def test_a_building_set_is_kept() -> None:
    schedule = BackupScheduleFactory(retention_keep_days=1)
    BackupSetFactory(schedule=schedule, started_at=timezone.now() - dt.timedelta(days=9))

    assert expired_sets(schedule) == []


def test_the_sets_of_another_schedule_are_not_touched() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1, retention_keep_days=1)
    other = BackupScheduleFactory(tenant=schedule.tenant)
    make_set(other, 300)
    make_set(schedule, 0)

    assert expired_sets(schedule) == []


def test_contents_are_deleted_with_the_last_set_that_refers_to_them() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1)
    old, new = make_set(schedule, 300), make_set(schedule, 0)
    unused = PolicyVersionFactory(workspace=schedule.workspace)

    assert retention.delete_set(old)
    deleted = retention.delete_unreferenced_versions(schedule.workspace_id)

    assert deleted == 2
    assert not PolicyVersion.objects.filter(pk=unused.pk).exists()
    assert BackupItem.objects.get().backup_set == new


def test_a_set_that_its_schedule_keeps_is_not_deleted() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=2, retention_keep_days=10)
    recent, _, _ = (make_set(schedule, days) for days in (9, 5, 1))

    assert retention.delete_set(recent) is False
    assert BackupSet.objects.filter(pk=recent.pk).exists()


def test_a_backup_deletes_expired_sets_and_notes_it_on_its_timeline(
    schedule: BackupSchedule, back_up: Callable[[BackupSchedule], OperationRun]
) -> None:
    schedule.retention_keep_sets, schedule.retention_keep_days = 1, 30
    schedule.save()
    old = make_set(schedule, 100)
    old_id = old.pk

    run = back_up(schedule)

    notes = run.events.filter(kind="note").values_list("message", flat=True)
    assert not BackupSet.objects.filter(pk=old_id).exists()
    assert any(text.startswith(f"Deleted backup set {old_id} of") for text in notes)


def test_a_schedule_without_complete_sets_deletes_expired_sets_too(
    schedule: BackupSchedule,
    back_up: Callable[[BackupSchedule], OperationRun],
    graph: SandboxControl,
) -> None:
    schedule.retention_keep_sets, schedule.retention_keep_days = 1, 30
    schedule.save()
    old, complete = make_set(schedule, 100), make_set(schedule, 50)
    incomplete = make_set(schedule, 40, SetStatus.INCOMPLETE)
    graph.fault(schedule.tenant.external_id, "forbid", kind="compliance")

    run = back_up(schedule)

    remaining = BackupSet.objects.filter(pk__in=[old.pk, complete.pk, incomplete.pk])
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert list(remaining) == [complete]


def test_the_last_set_with_content_is_kept_after_failed_backups() -> None:
    schedule = BackupScheduleFactory(retention_keep_sets=1, retention_keep_days=10)
    older = make_set(schedule, 70, SetStatus.INCOMPLETE)
    make_set(schedule, 60, SetStatus.INCOMPLETE)
    make_set(schedule, 0, SetStatus.FAILED)

    assert expired_sets(schedule) == [older]
