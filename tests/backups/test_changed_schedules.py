"""The slots of a schedule that is paused, edited or moved to another time zone."""

from __future__ import annotations

import datetime as dt

import pytest

from backups import services, tick
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import Tenant, User
from tests.support.factories.backups import BackupScheduleFactory

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def due(tenant: Tenant) -> BackupSchedule:
    """An hourly schedule with a due slot that no tick has processed."""
    now = database_now().replace(second=0, microsecond=0)
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, cron=f"{now.minute} * * * *", due=now, misfire_grace=dt.timedelta(hours=1)
    )
    return schedule


def slots_of(schedule: BackupSchedule) -> list[str]:
    runs = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("pk")
    return [run.context["scheduled_for"] for run in runs if run.type == "backup_schedule.scheduled"]


def test_a_pause_does_not_drop_a_due_slot(due: BackupSchedule, manager: User) -> None:
    services.pause(due, by=manager)

    assert len(slots_of(due)) == 1
    assert BackupSchedule.objects.get(pk=due.pk).next_run_at is None


def test_slots_during_a_pause_are_not_caught_up(due: BackupSchedule, manager: User) -> None:
    services.pause(due, by=manager)
    tick.tick(database_now() + dt.timedelta(hours=5))

    resumed = services.resume(due, by=manager)

    assert len(slots_of(due)) == 1
    assert resumed.next_run_at
    assert resumed.next_run_at > database_now()


@pytest.mark.parametrize(
    "change", [{"cron": "30 4 * * 1"}, {"timezone": "Pacific/Apia"}, {"cron": "*/7 * * * *"}]
)
def test_a_change_of_the_times_accounts_for_the_due_slot(
    due: BackupSchedule, change: dict[str, str]
) -> None:
    slot = due.next_run_at
    for name, value in change.items():
        setattr(due, name, value)

    services.save(due)

    changed = BackupSchedule.objects.get(pk=due.pk)
    assert slots_of(due) == [f"{slot:%Y-%m-%dT%H:%MZ}"]
    assert changed.next_run_at
    assert changed.next_run_at > database_now()
    assert unexplained_schedules() == []


def test_more_ticks_after_a_change_start_no_second_run(due: BackupSchedule) -> None:
    due.cron = "*/5 * * * *"
    services.save(due)
    for _ in range(3):
        tick.tick_all()

    assert len(slots_of(due)) == len(set(slots_of(due))) == 1
