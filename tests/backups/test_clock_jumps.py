"""A clock of the database that is wrong for one tick uses up no slot."""

from __future__ import annotations

import datetime as dt

import pytest

from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule, RevisionReason
from backups.tasks import tick_backup_schedules
from operations.models import OperationRun
from tenancy.models import Tenant
from tests.support.clock import DatabaseClock
from tests.support.factories.backups import BackupScheduleFactory, utc

pytestmark = pytest.mark.django_db(transaction=True)

SLOT = utc(2026, 1, 6, 2, 30)
SECOND, MINUTE, HOUR, DAY = (
    dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
)  # fmt: skip
TICK = 30 * SECOND


@pytest.fixture
def schedule(tenant: Tenant, database_clock: DatabaseClock) -> BackupSchedule:
    """A daily schedule; the scheduler ticks until an hour before its slot."""
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant, due=SLOT, settled_until=SLOT - DAY
    )
    tick_from(database_clock, SLOT - HOUR, 2)
    return schedule


def tick_from(clock: DatabaseClock, start: dt.datetime, ticks: int) -> None:
    for number in range(ticks):
        clock.set(start + number * TICK)
        tick_backup_schedules()


def outcomes(schedule: BackupSchedule) -> list[tuple[str, str]]:
    runs = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("pk")
    return [(run.context["scheduled_for"][5:10], run.outcome) for run in runs]


@pytest.mark.parametrize("jump", [DAY, 3 * DAY, 11 * MINUTE + HOUR])
def test_one_tick_of_a_clock_that_is_ahead_decides_nothing(
    schedule: BackupSchedule, database_clock: DatabaseClock, jump: dt.timedelta
) -> None:
    tick_from(database_clock, SLOT - 50 * MINUTE + jump, 1)
    assert outcomes(schedule) == []

    tick_from(database_clock, SLOT - 49 * MINUTE, 100)

    assert outcomes(schedule) == [("01-06", "pending")]
    assert unexplained_schedules() == []


def test_two_ticks_that_agree_on_a_later_time_act(
    schedule: BackupSchedule, database_clock: DatabaseClock
) -> None:
    """After an outage the first tick only records the time."""
    tick_from(database_clock, SLOT + HOUR, 1)
    assert outcomes(schedule) == []

    tick_from(database_clock, SLOT + HOUR + TICK, 1)

    assert outcomes(schedule) == [("01-06", "pending")]


def test_a_clock_that_is_set_back_does_not_silence_a_schedule(
    schedule: BackupSchedule, database_clock: DatabaseClock
) -> None:
    """For an hour the clock is two days ahead; then it is right again."""
    tick_from(database_clock, SLOT - HOUR / 2 + 2 * DAY, 2)
    assert outcomes(schedule) == [("01-07", "blocked")]

    tick_from(database_clock, SLOT - MINUTE, 4)

    back, created = schedule.revisions.all()
    assert back.reason == created.end_reason == RevisionReason.CLOCK_SET_BACK
    assert outcomes(schedule) == [("01-07", "blocked"), ("01-06", "pending")]
    schedule.refresh_from_db()
    assert schedule.next_run_at == SLOT + DAY


def test_a_slot_that_ran_by_a_wrong_clock_does_not_run_again(
    schedule: BackupSchedule, database_clock: DatabaseClock
) -> None:
    tick_from(database_clock, SLOT + DAY + MINUTE, 2)
    assert outcomes(schedule) == [("01-06", "blocked"), ("01-07", "pending")]

    tick_from(database_clock, SLOT, 4)
    tick_from(database_clock, SLOT + DAY, 4)
    tick_from(database_clock, SLOT + 2 * DAY, 4)

    assert outcomes(schedule) == [
        ("01-06", "blocked"),
        ("01-07", "pending"),
        ("01-08", "blocked"),
    ]
