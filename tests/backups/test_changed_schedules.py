"""The slots of a schedule that is paused, edited or moved to another time zone.

A slot is owed from its nominal minute on, although its run waits for the spread of the schedule.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client

from backups import services, tick
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule, RevisionReason
from operations.models import OperationRun
from tenancy.db import database_now
from tenancy.models import Tenant, TenantStatus, User
from tests.support.clock import DatabaseClock
from tests.support.factories.backups import BackupScheduleFactory, utc
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def due(tenant: Tenant) -> BackupSchedule:
    """A daily schedule whose slot came one minute ago, and whose run starts three minutes later."""
    slot = database_now().replace(second=0, microsecond=0) - MINUTE
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant,
        cron=f"{slot.minute} {slot.hour} * * *",
        due=slot,
        spread_seconds=240,
        misfire_grace=dt.timedelta(hours=1),
    )
    return schedule


def runs_of(schedule: BackupSchedule) -> list[OperationRun]:
    runs = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("pk")
    return [run for run in runs if run.type == "backup_schedule.scheduled"]


def slots_of(schedule: BackupSchedule) -> list[str]:
    return [run.context["scheduled_for"] for run in runs_of(schedule)]


def pause(schedule: BackupSchedule, user: User) -> None:
    services.pause(schedule, by=user)


def pause_and_resume(schedule: BackupSchedule, user: User) -> None:
    services.pause(schedule, by=user)
    services.resume(schedule, by=user)


def change(**changes: str) -> Callable[[BackupSchedule, User], None]:
    def save(schedule: BackupSchedule, user: User) -> None:
        for name, value in changes.items():
            setattr(schedule, name, value)
        services.save(schedule, by=user)

    return save


def write_the_same_times_differently(schedule: BackupSchedule, user: User) -> None:
    minute, hour, *_ = schedule.cron.split()
    change(cron=f"{minute} {hour} * * 0-6")(schedule, user)


@pytest.mark.parametrize(
    "action",
    [
        pause,
        pause_and_resume,
        write_the_same_times_differently,
        change(cron="30 4 * * 1"),
        change(cron="*/7 * * * *"),
        change(timezone="Pacific/Apia"),
        change(name="Renamed"),
    ],
)
def test_a_slot_that_has_come_runs_whatever_happens_to_its_schedule(
    due: BackupSchedule, manager: User, action: Callable[[BackupSchedule, User], None]
) -> None:
    slot, cron, zone = due.next_run_at, due.cron, due.timezone
    action(BackupSchedule.objects.with_scope().get(pk=due.pk), manager)
    for _ in range(3):
        tick.tick_all()

    (run, *later) = runs_of(due)
    assert run.context["scheduled_for"] == f"{slot:%Y-%m-%dT%H:%MZ}"
    assert run.is_active
    assert (run.context["cron"], run.context["timezone"]) == (cron, zone)
    assert run.context["schedule_revision"] == 1
    assert all(other.context["scheduled_for"] > run.context["scheduled_for"] for other in later)
    assert unexplained_schedules() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", range(0, 60, 7))
def test_times_that_change_in_one_of_their_own_slots_are_explained(
    tenant: Tenant, database_clock: DatabaseClock, seconds: int
) -> None:
    """The new times have a slot in the minute of the change; it belongs to the old times."""
    minute = utc(2026, 1, 5, 10, 7)
    database_clock.set(minute - MINUTE)
    schedule = BackupScheduleFactory(tenant=tenant, cron="7 10 * * *", due=minute)
    database_clock.set(minute + dt.timedelta(seconds=seconds))
    schedule.cron = "*/7 * * * *"

    services.save(schedule)

    assert slots_of(schedule) == ["2026-01-05T10:07Z"]
    database_clock.set(minute + 8 * MINUTE)
    tick.tick_all()
    assert slots_of(schedule) == ["2026-01-05T10:07Z", "2026-01-05T10:14Z"]
    assert unexplained_schedules() == []


def test_a_slot_of_a_suspended_tenant_is_recorded_with_its_reason(
    due: BackupSchedule, manager: User
) -> None:
    Tenant.objects.filter(pk=due.tenant_id).update(status=TenantStatus.SUSPENDED)

    services.pause(due, by=manager)

    (run,) = runs_of(due)
    assert (run.outcome, run.failures[0]["code"]) == ("blocked", "tenant_suspended")


def test_slots_during_a_pause_are_not_caught_up(due: BackupSchedule, manager: User) -> None:
    services.pause(due, by=manager)
    tick.tick(database_now() + dt.timedelta(hours=5))

    services.resume(due, by=manager)

    resumed = BackupSchedule.objects.get(pk=due.pk)
    assert len(slots_of(due)) == 1
    assert resumed.next_run_at
    assert resumed.next_run_at > database_now()


def test_the_past_of_a_paused_schedule_is_checked(tenant: Tenant, manager: User) -> None:
    now = database_now().replace(second=0, microsecond=0)
    schedule = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=now - 30 * MINUTE)
    services.pause(schedule, by=manager)
    assert unexplained_schedules() == []

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM operation_run_events")
        cursor.execute("DELETE FROM operation_runs")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    assert unexplained_schedules() == [schedule.pk]


def test_revisions_follow_the_changes_of_a_schedule(due: BackupSchedule, manager: User) -> None:
    change(cron="30 4 * * 1")(due, manager)
    change(name="Renamed")(due, manager)
    pause_and_resume(due, manager)

    resumed, changed, created = due.revisions.all()
    assert [row.number for row in (resumed, changed, created)] == [3, 2, 1]
    assert [row.reason for row in (created, changed, resumed)] == [
        RevisionReason.CREATED,
        RevisionReason.TIMES_CHANGED,
        RevisionReason.RESUMED,
    ]
    assert [created.end_reason, changed.end_reason] == ["times_changed", "paused"]
    assert (changed.changed_by, changed.ended_by, resumed.changed_by) == (manager,) * 3
    assert created.valid_until == changed.valid_from
    assert changed.valid_until
    assert changed.valid_until < resumed.valid_from
    assert resumed.valid_until is None


def test_the_page_of_a_schedule_shows_the_history_of_its_times(
    client: Client, due: BackupSchedule, manager: User
) -> None:
    change(cron="30 4 * * 1", name="Weekly")(due, manager)

    html = open_session(client, manager).get(due.get_absolute_url()).content.decode()

    assert "History of times" in html
    assert 'id="revision-2"' in html
    assert "Times changed" in html
    (run,) = runs_of(due)
    page = client.get(run.get_absolute_url()).content.decode()
    assert f"{due.get_absolute_url()}#revision-1" in page
