"""What users do with schedules: create, change, pause, resume, back up now."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from backups import services
from backups.freshness import freshness_of
from backups.models import BackupSchedule, SetStatus
from backups.slots import next_slot
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.types import OperationRunType
from tenancy.db import database_now
from tenancy.models import Tenant, TenantStatus, User
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish, utc

pytestmark = pytest.mark.django_db


def new_schedule(tenant: Tenant, **changes: object) -> BackupSchedule:
    values = {"name": "Nightly", "cron": "* * * * *", "kinds": ["compliance"]} | changes
    return BackupSchedule(tenant=tenant, workspace=tenant.workspace, **values)


def test_a_new_schedule_starts_from_now(tenant: Tenant) -> None:
    before = database_now()

    schedule = services.save(new_schedule(tenant))

    assert schedule.next_run_at
    assert before < schedule.next_run_at <= database_now() + dt.timedelta(minutes=1)
    assert schedule.spread < dt.timedelta(seconds=6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cron", "0 0 31 2 *"),
        ("timezone", "Europe/Atlantis"),
        ("kinds", []),
        ("kinds", ["teapots"]),
        ("kinds", ["compliance", "compliance"]),
        ("retention_keep_sets", 0),
        ("misfire_policy", "hope"),
        ("name", ""),
    ],
)
def test_an_invalid_schedule_is_rejected(tenant: Tenant, field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        services.save(new_schedule(tenant, **{field: value}))

    assert not BackupSchedule.objects.exists()


def test_a_tenant_of_another_workspace_is_rejected(tenant: Tenant) -> None:
    schedule = new_schedule(tenant)
    schedule.tenant = TenantFactory()

    with pytest.raises(ValidationError, match="another workspace"):
        services.save(schedule)


def test_new_times_start_from_now(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    schedule.cron = "* * * * *"

    services.save(schedule)

    schedule.refresh_from_db()
    assert schedule.next_run_at
    assert schedule.next_run_at - timezone.now() <= dt.timedelta(minutes=1)


def test_a_due_slot_is_not_lost_when_the_schedule_is_changed(tenant: Tenant) -> None:
    slot = timezone.now().replace(second=0, microsecond=0)
    schedule = BackupScheduleFactory(tenant=tenant, cron=f"{slot.minute} * * * *", due=slot)
    schedule.cron = f"{(slot.minute + 30) % 60} * * * *"

    services.save(schedule)

    run = OperationRun.objects.get(context__backup_schedule_id=schedule.pk)
    assert run.type == OperationRunType.BACKUP_SCHEDULE_SCHEDULED


def test_a_new_name_does_not_move_the_next_slot(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    stale = BackupSchedule.objects.get(pk=schedule.pk)
    stale.next_run_at, stale.name = utc(2998, 1, 1), "Other"
    before = database_now()

    services.save(stale)

    schedule.refresh_from_db()
    assert schedule.name == "Other"
    expected = {next_slot("30 2 * * *", "UTC", at) for at in (before, database_now())}
    assert schedule.next_run_at in expected


def test_slots_during_a_pause_are_not_caught_up(tenant: Tenant, manager: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    services.pause(schedule, manager, "Migration")
    paused = BackupSchedule.objects.get()
    assert (paused.is_paused, paused.next_run_at, paused.pause_reason) == (True, None, "Migration")

    before = database_now()

    services.resume(schedule, manager)

    resumed = BackupSchedule.objects.get()
    assert not resumed.is_paused
    assert resumed.next_run_at
    assert resumed.next_run_at > before
    assert not OperationRun.objects.exists()


def test_pausing_and_resuming_twice_has_no_further_effect(tenant: Tenant, manager: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)

    assert [services.pause(schedule, manager, reason) for reason in ("First", "Second")] == [
        True,
        False,
    ]
    assert BackupSchedule.objects.get().pause_reason == "First"
    assert services.resume(schedule, manager)
    next_run_at = BackupSchedule.objects.get().next_run_at
    assert not services.resume(schedule, manager)
    assert BackupSchedule.objects.get().next_run_at == next_run_at


def test_back_up_now_is_a_run_of_the_schedule(tenant: Tenant, operator: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)

    result = services.run_now(schedule, operator)

    assert result.created
    assert result.run.type == OperationRunType.BACKUP_SCHEDULE_RUN_NOW
    assert result.run.user == operator
    assert result.run.context["idempotency"] == {"backup_schedule_id": schedule.pk}
    assert "scheduled_for" not in result.run.context


def test_a_second_back_up_now_returns_the_active_run(tenant: Tenant, operator: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    first = services.run_now(schedule, operator)

    second = services.run_now(schedule, operator)

    assert (second.run, second.created) == (first.run, False)


def test_two_schedules_of_one_tenant_do_not_exclude_each_other(
    tenant: Tenant, operator: User
) -> None:
    one, two = BackupScheduleFactory.create_batch(2, tenant=tenant)

    assert services.run_now(one, operator).run != services.run_now(two, operator).run


def test_a_suspended_tenant_is_not_backed_up(tenant: Tenant, operator: User) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    tenant.status = TenantStatus.SUSPENDED
    tenant.save()

    with pytest.raises(Blocked, match="suspended"):
        services.run_now(BackupSchedule.objects.get(pk=schedule.pk), operator)


def test_the_tenant_with_the_oldest_backup_comes_first(
    tenant: Tenant, django_assert_num_queries: object
) -> None:
    never = TenantFactory(workspace=tenant.workspace, name="Never")
    old, new = (BackupScheduleFactory(tenant=tenant) for _ in range(2))
    fresh = BackupScheduleFactory(tenant__workspace=tenant.workspace, tenant__name="Fresh")
    for days, schedule in ((9, old), (2, new), (0, fresh)):
        at = timezone.now() - dt.timedelta(days=days)
        finish(BackupSetFactory(schedule=schedule), ended_at=at)
    finish(BackupSetFactory(schedule=old), SetStatus.FAILED)

    with django_assert_num_queries(3):  # type: ignore[operator]
        rows = freshness_of(tenant.workspace)

    assert [row.tenant.name for row in rows] == [never.name, tenant.name, "Fresh"]
    assert [row.is_late for row in rows] == [True, True, False]
    assert [row.age.days if row.age else None for row in rows] == [None, 2, 0]
    assert all(a.tenant != b.tenant for a, b in pairwise(rows))
