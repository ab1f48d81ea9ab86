"""A schedule whose slots cannot be settled: a run says so, and the other schedules start."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from backups.tick import tick
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def slot() -> dt.datetime:
    return database_now().replace(second=0, microsecond=0) - 3 * MINUTE


@pytest.fixture
def others(tenant: Tenant, slot: dt.datetime) -> list[BackupSchedule]:
    return BackupScheduleFactory.create_batch(3, tenant=tenant, cron="* * * * *", due=slot)


def new_bad_schedule(tenant: Tenant, slot: dt.datetime, change: str) -> BackupSchedule:
    """A schedule that was changed with raw SQL."""
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, cron="* * * * *", due=slot)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(f"UPDATE backup_schedules SET {change} WHERE id = %s", [schedule.pk])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    return schedule


TOO_LARGE = "kinds = ARRAY(SELECT repeat('x', 60) || n FROM generate_series(1, 3000) n)"


def runs_of(schedule: BackupSchedule) -> list[OperationRun]:
    return list(OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("id"))


def test_a_request_that_cannot_be_built_is_recorded_and_settled(
    tenant: Tenant, others: list[BackupSchedule], slot: dt.datetime
) -> None:
    bad = new_bad_schedule(tenant, slot, TOO_LARGE)

    result = tick(slot + 20 * dt.timedelta(seconds=1))

    assert (result.schedules, result.started, result.blocked) == (4, 3, 1)
    assert all(run.is_active for schedule in others for run in runs_of(schedule))
    (run,) = runs_of(bad)
    assert (run.outcome, run.failures[0]["code"]) == ("blocked", "slot_failed")
    assert "reference" in run.failures[0]["message"]
    bad.refresh_from_db()
    assert bad.next_run_at == slot + MINUTE
    assert unexplained_schedules() == []


def test_a_request_that_cannot_be_built_needs_attention_once(
    tenant: Tenant, slot: dt.datetime
) -> None:
    bad = new_bad_schedule(tenant, slot, TOO_LARGE)
    for minute in range(3):
        tick(slot + minute * MINUTE)
    tick(slot + dt.timedelta(hours=1))

    failed, missed, later = runs_of(bad)
    assert failed.context["repeated"]["slots"] == 3
    assert missed.failures[0]["code"] == "missed"
    assert later.failures[0]["code"] == "slot_failed"


@pytest.mark.parametrize("change", ["cron = '61 * * * *'", "timezone = 'Atlantis/Capital'"])
def test_an_unreadable_schedule_is_paused_with_a_run_that_says_so(
    tenant: Tenant, others: list[BackupSchedule], slot: dt.datetime, change: str
) -> None:
    bad = new_bad_schedule(tenant, slot, change)

    tick(slot)

    assert all(run.is_active for schedule in others for run in runs_of(schedule))
    (run,) = runs_of(bad)
    assert (run.outcome, run.failures[0]["code"]) == ("blocked", "schedule_unreadable")
    assert run.context["scheduled_for"] == f"{slot:%Y-%m-%dT%H:%MZ}"
    assert OperationRun.objects.needs_attention().count() == 1
    bad.refresh_from_db()
    assert bad.is_paused
    assert "time zone" in bad.pause_reason
    assert not bad.revisions.filter(valid_until=None).exists()
    assert unexplained_schedules() == []


@pytest.mark.parametrize(
    "change", ["cron = '61 * * * *'", "timezone = 'Atlantis/Capital'", TOO_LARGE]
)
def test_a_bad_schedule_can_be_paused_and_repaired(
    tenant: Tenant, manager: User, slot: dt.datetime, change: str
) -> None:
    bad = new_bad_schedule(tenant, slot, change)

    # What settles its slots pauses it first where its times cannot be computed.
    services.pause(bad, by=manager)
    assert BackupSchedule.objects.get(pk=bad.pk).is_paused
    repaired = BackupSchedule.objects.get(pk=bad.pk)
    repaired.cron, repaired.timezone, repaired.kinds = "* * * * *", "UTC", ["compliance"]
    services.save(repaired, by=manager)
    services.resume(repaired, by=manager)

    tick(database_now() + 2 * MINUTE)
    assert runs_of(bad)[-1].is_active
