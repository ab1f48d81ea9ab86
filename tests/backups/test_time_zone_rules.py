"""Updates of time-zone rules: one source, what has not come yet is computed again, nothing twice."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from pathlib import Path

import pytest
import tzdata
from django.test import Client

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule, RevisionReason, TimeZoneRules
from backups.slots import rules_version
from backups.tick import tick_all
from operations.models import OperationRun
from tenancy.models import TIMEZONES, Tenant, User
from tests.support.clock import DatabaseClock
from tests.support.factories.backups import BackupScheduleFactory, utc
from tests.support.sessions import open_session
from tests.support.stack import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

UseRules = Callable[..., None]
SECONDS, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)
ZONE = "Europe/Berlin"
#: Winter time as today, an hour further east, and an hour further west.
TODAY, EAST, WEST = ({ZONE: f"Etc/GMT-{hours}"} for hours in (1, 2, 0))
#: 02:30 in winter time.
SLOT = utc(2026, 1, 6, 1, 30)


@pytest.fixture
def schedule(tenant: Tenant, database_clock: DatabaseClock, use_rules: UseRules) -> BackupSchedule:
    """A daily schedule at 02:30 in Berlin; its last slot was yesterday."""
    use_rules("2030a", TODAY)
    database_clock.set(SLOT - 20 * HOUR)
    schedule: BackupSchedule = BackupScheduleFactory(
        tenant=tenant,
        timezone=ZONE,
        due=SLOT,
        settled_until=SLOT - 24 * HOUR,
        misfire_grace=12 * HOUR,
    )
    return schedule


def tick_every_half_hour(clock: DatabaseClock, start: dt.datetime, end: dt.datetime) -> None:
    while start <= end:
        clock.set(start)
        tick_all()
        for run in OperationRun.objects.active():
            OperationRun.objects.filter(pk=run.pk).update(
                status="completed", outcome="succeeded", completed_at=start, next_publish_at=None
            )
        start += HOUR / 2


def slots_of(schedule: BackupSchedule) -> list[str]:
    runs = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk).order_by("pk")
    return [run.context["scheduled_for"] for run in runs]


@pytest.mark.parametrize(("zones", "right"), [(EAST, SLOT - HOUR), (WEST, SLOT + HOUR)])
@pytest.mark.parametrize("hours", [-10, -2, 0.25])
def test_the_slot_after_an_update_is_the_right_one(  # noqa: PLR0917
    schedule: BackupSchedule,
    database_clock: DatabaseClock,
    use_rules: UseRules,
    zones: dict[str, str],
    right: dt.datetime,
    hours: float,
) -> None:
    """The update comes ten or two hours before the slot of the old rules, or in an outage over it."""
    tick_all()
    use_rules("2030b", zones)
    tick_every_half_hour(database_clock, SLOT + hours * HOUR, SLOT + 6 * HOUR)

    assert slots_of(schedule) == [f"{right:%Y-%m-%dT%H:%MZ}"]
    assert unexplained_schedules() == []


def test_a_changed_slot_is_recorded_and_shown(  # noqa: PLR0917
    client: Client,
    reader: User,
    schedule: BackupSchedule,
    database_clock: DatabaseClock,
    use_rules: UseRules,
    caplog: pytest.LogCaptureFixture,
) -> None:
    other = BackupScheduleFactory(
        tenant=schedule.tenant,
        timezone="Asia/Tokyo",
        cron="0 3 * * *",
        due=utc(2026, 1, 5, 18, 0),
        settled_until=schedule.settled_until,
    )
    tick_all()
    use_rules("2030b", EAST)

    tick_all()
    tick_all()

    updated, created = schedule.revisions.all()
    assert (updated.reason, updated.rules_version) == (RevisionReason.RULES_UPDATED, "2030b")
    assert (updated.old_next_slot, updated.new_next_slot) == (SLOT, SLOT - HOUR)
    assert created.valid_until == updated.valid_from == schedule.settled_until
    assert other.revisions.count() == 1
    expected = f"the next slot was {SLOT} and is {SLOT - HOUR} now"
    assert [expected in message for message in caplog.messages if "rules" in message] == [True]
    html = open_session(client, reader).get(schedule.get_absolute_url()).content.decode()
    assert "Time zone rules updated" in html
    text = re.sub("<[^>]+>", "", html)
    assert re.search(
        "Next slot changed from 6 Jan 2026, 01:30(:00)? UTC to 6 Jan 2026, 00:30(:00)? UTC", text
    )


def test_an_edit_by_a_process_with_newer_rules_records_the_update_first(
    schedule: BackupSchedule, use_rules: UseRules, manager: User
) -> None:
    use_rules("2030b", EAST)

    services.pause(BackupSchedule.objects.get(pk=schedule.pk), by=manager)

    updated, _ = schedule.revisions.all()
    assert (updated.reason, updated.end_reason) == ("rules_updated", "paused")


def test_a_process_with_older_rules_reverts_nothing(
    schedule: BackupSchedule, database_clock: DatabaseClock, use_rules: UseRules
) -> None:
    use_rules("2030b", EAST)
    tick_all()
    use_rules("2030a", TODAY)

    for minutes in range(0, 12, 3):
        database_clock.set(SLOT - 2 * HOUR + minutes * 60 * SECONDS)
        use_rules("2030b", EAST)
        tick_all()
        use_rules("2030a", TODAY)
        tick_all()

    schedule.refresh_from_db()
    assert (schedule.next_run_at, schedule.rules_version) == (SLOT - HOUR, "2030b")
    assert TimeZoneRules.objects.get().version == "2030b"


def test_after_a_rollback_the_older_rules_count_again(
    schedule: BackupSchedule, database_clock: DatabaseClock, use_rules: UseRules
) -> None:
    use_rules("2030b", EAST)
    tick_all()
    use_rules("2030a", TODAY)
    database_clock.set(SLOT - 20 * HOUR + 599 * SECONDS)
    tick_all()
    assert TimeZoneRules.objects.get().version == "2030b"

    database_clock.set(SLOT - 20 * HOUR + 601 * SECONDS)
    tick_all()

    schedule.refresh_from_db()
    assert (schedule.next_run_at, schedule.rules_version) == (SLOT, "2030a")


def test_a_zone_with_unreadable_rules_pauses_its_schedules(
    schedule: BackupSchedule, use_rules: UseRules
) -> None:
    tick_all()
    use_rules("2030b", TODAY)
    Path(zoneinfo.TZPATH[0], ZONE).write_bytes(b"no rules")

    tick_all()

    (run,) = OperationRun.objects.all()
    assert run.failures[0]["code"] == "schedule_unreadable"
    assert BackupSchedule.objects.get(pk=schedule.pk).is_paused


def test_only_the_package_gives_rules() -> None:
    """Also with a folder of other rules in the environment, and for every zone of the forms."""
    command = (
        "import zoneinfo, django; django.setup()\n"
        "from backups.slots import rules_version, zone_of\n"
        "from tenancy.models import TIMEZONES\n"
        "print(zoneinfo.TZPATH, rules_version(), len(TIMEZONES), zone_of('Europe/Berlin'))"
    )
    environment = os.environ | {"PYTHONTZPATH": "/usr/share/zoneinfo"}
    output = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert output.strip() == f"() {tzdata.IANA_VERSION} {len(TIMEZONES)} Europe/Berlin"
    assert rules_version() == tzdata.IANA_VERSION
