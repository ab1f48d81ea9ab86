"""The overview: the slots of today, the trend by day, and what takes unusually long."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from typing import Any

import pytest
from django.test import Client

from backups.models import BackupDay
from backups.today import slots_of_today
from backups.trend import DAYS, count_days, trend_of
from operations.models import OperationRun
from operations.presentation.charts import TO_COME
from operations.presentation.expected_duration import longest_running, slow_runs
from operations.presentation.hours import count_by_hour, day_of
from operations.states import RunOutcome
from tenancy.db import database_now
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish, utc
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def add_run(tenant: Tenant, at: dt.datetime, **traits: Any) -> OperationRun:
    """Create a scheduled backup of this time; its number of the schedule makes it unique."""
    number = OperationRun.objects.count()
    run: OperationRun = OperationRunFactory(
        tenant=tenant,
        type="backup_schedule.scheduled",
        context={"backup_schedule_id": number, "scheduled_for": f"{at:%Y-%m-%dT%H:%MZ}"},
        created_at=at,
        **(traits or {"succeeded": True}),
    )
    return run


def test_the_slots_of_today_have_ended_or_are_to_come(tenant: Tenant) -> None:
    workspace, now = tenant.workspace, utc(2026, 3, 8, 12, 10)
    for at, traits in (
        (utc(2026, 3, 7, 23, 59), {"failed": True}),
        (utc(2026, 3, 8, 0, 1), {"succeeded": True}),
        (utc(2026, 3, 8, 2, 2), {"failed": True}),
        (utc(2026, 3, 8, 2, 40), {"succeeded": True}),
        (utc(2026, 3, 8, 12, 5), {"running": True}),
    ):
        add_run(tenant, at, **traits)
    for cron, due in (
        ("0 */6 * * *", utc(2026, 3, 8, 18)),
        ("30 23 * * *", utc(2026, 3, 8, 23, 30)),
        ("30 23 * * *", utc(2026, 3, 8, 23, 30)),
        ("0 0 * * *", utc(2026, 3, 9)),
    ):
        BackupScheduleFactory(tenant=tenant, cron=cron, due=due)
    BackupScheduleFactory(tenant=tenant, cron="0 20 * * *", due=utc(2026, 3, 8, 20), paused=True)
    suspended = TenantFactory(workspace=workspace, status="suspended")
    BackupScheduleFactory(tenant=suspended, cron="0 20 * * *", due=utc(2026, 3, 8, 20))

    hours = slots_of_today(workspace, now, count_by_hour(workspace, now))

    assert len(hours) == 24
    assert {hour: dict(counts) for hour, counts in hours if counts} == {
        "00:00": {"succeeded": 1},
        "02:00": {"failed": 1, "succeeded": 1},
        "12:00": {"pending": 1},
        "18:00": {TO_COME: 1},
        "23:00": {TO_COME: 2},
    }


@pytest.mark.parametrize(
    ("zone", "now", "hours"),
    [
        ("Europe/Berlin", utc(2026, 3, 29, 12), 23),
        ("Europe/Berlin", utc(2026, 10, 25, 12), 25),
        ("Asia/Kolkata", utc(2026, 10, 25, 12), 24),
    ],
)
def test_a_day_has_its_hours_when_the_clocks_change(
    tenant: Tenant, zone: str, now: dt.datetime, hours: int
) -> None:
    workspace = tenant.workspace
    workspace.timezone = zone
    BackupScheduleFactory(tenant=tenant, cron="* * * * *", timezone=zone, due=now)

    of_day = slots_of_today(workspace, now, ())

    assert len(of_day) == hours
    to_come = sum(counts[TO_COME] for _, counts in of_day)
    _, end = day_of(now, zoneinfo.ZoneInfo(zone))
    assert to_come == (end - now) // dt.timedelta(minutes=1)


def test_a_day_is_counted_once_it_has_ended(tenant: Tenant) -> None:
    workspace, now = tenant.workspace, database_now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    add_run(tenant, midnight - HOUR)
    active = add_run(tenant, midnight - 2 * HOUR, running=True)
    add_run(tenant, midnight - 5 * DAY, failed=True)
    add_run(tenant, midnight - (DAYS + 3) * DAY)
    add_run(tenant, now)

    count_days()

    trend = trend_of(workspace, now, Counter(succeeded=1))
    assert len(trend) == DAYS
    assert [dict(counts) for _, counts in trend if counts] == [
        {"failed": 1},
        {"succeeded": 1, "pending": 1},
        {"succeeded": 1},
    ]
    OperationRun.objects.filter(pk=active.pk).update(
        status="completed", outcome=RunOutcome.FAILED, completed_at=now
    )
    count_days()
    assert trend_of(workspace, now, Counter())[-2][1] == {"succeeded": 1, "failed": 1}


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_a_day_is_one_of_the_time_zone_of_the_workspace(tenant: Tenant, zone: str) -> None:
    Workspace.objects.filter(pk=tenant.workspace_id).update(timezone=zone)
    at = (database_now() - 3 * DAY).replace(hour=9, minute=30)
    add_run(tenant, at)
    add_run(tenant, at + 12 * HOUR)

    count_days()

    in_zone = {moment.astimezone(zoneinfo.ZoneInfo(zone)).date() for moment in (at, at + 12 * HOUR)}
    assert set(BackupDay.objects.values_list("day", flat=True)) == in_zone
    assert len(in_zone) == (2 if zone == "Pacific/Auckland" else 1)


def test_days_outside_the_trend_are_forgotten(workspace: Workspace) -> None:
    today = database_now().date()
    for days in (DAYS + 1, DAYS + 5):
        BackupDay.objects.create(workspace=workspace, day=today - days * DAY, counts={})

    count_days()

    assert BackupDay.objects.get().day == today - (DAYS + 1) * DAY


def test_a_run_that_takes_unusually_long_is_found(tenant: Tenant) -> None:
    now = database_now()
    for number in range(6):
        at = now - (number + 1) * DAY
        OperationRunFactory(
            tenant=tenant,
            type="inventory.sync",
            succeeded=True,
            created_at=at,
            started_at=at,
            completed_at=at + dt.timedelta(seconds=60),
        )
    runs = {
        seconds: OperationRunFactory(
            tenant=tenant,
            type="inventory.sync",
            running=True,
            created_at=now - dt.timedelta(seconds=seconds),
            started_at=now - dt.timedelta(seconds=seconds),
            run_identity_hash=f"{seconds:064x}",
        )
        for seconds in (70, 200)
    }

    (slow,) = slow_runs(longest_running(OperationRun.objects.all()))

    assert slow.run == runs[200]
    assert slow.expectation.text == "usually 1 min"


def test_the_overview_shows_slots_trend_and_slow_runs(
    client: Client, reader: User, tenant: Tenant
) -> None:
    now = database_now()
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant, paused=True)))
    add_run(tenant, now, failed=True)
    BackupDay.objects.create(
        workspace=tenant.workspace, day=(now - 3 * DAY).date(), counts={"succeeded": 7}
    )
    OperationRunFactory(
        tenant=tenant,
        type="inventory.sync",
        running=True,
        created_at=now - HOUR,
        started_at=now - HOUR,
    )

    html = open_session(client, reader).get("/w/contoso/").content.decode()

    assert "Slots of today: 1 failed." in html
    assert "Scheduled backups of the last 30 days: 7 succeeded, 1 failed." in html
    assert "expected to take about 30 s" in html


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
def test_the_legend_of_the_last_day_leads_to_exactly_the_runs_that_it_counts(
    client: Client, reader: User, tenant: Tenant, zone: str
) -> None:
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant, paused=True)))
    Workspace.objects.update(timezone=zone)
    now = database_now()
    minute, traits = dt.timedelta(minutes=1), {"succeeded": {"succeeded": True}, "pending": {}}
    for ago in (minute, 20 * minute, 23 * HOUR + 58 * minute, 24 * HOUR + minute, 2 * DAY):
        for kind in traits.values():
            add_run(tenant, now - ago, **(kind or {"running": True}))
    page = open_session(client, reader)

    html = page.get("/w/contoso/").content.decode()

    recent = OperationRun.objects.filter(created_at__gte=now - DAY)
    assert "In the last 24 hours: 3 succeeded, 3 active." in html
    for outcome in traits:
        assert recent.filter(outcome=outcome).count() == 3
        link = f"/w/contoso/runs/?view=day&amp;outcome={outcome}"
        assert f'<a href="{link}">' in html
        listed = page.get(link.replace("&amp;", "&")).content.decode()
        assert listed.count("<tr data-row") == 3
        assert ">3 runs<" in listed


def test_the_overview_takes_few_statements(
    client: Client, reader: User, tenant: Tenant, django_assert_max_num_queries: Any
) -> None:
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))
    for traits in ({"failed": True}, {"succeeded": True}, {"running": True}):
        add_run(tenant, database_now(), **traits)
    page = open_session(client, reader)
    page.get("/w/contoso/")

    with django_assert_max_num_queries(15):
        page.get("/w/contoso/")


def test_a_workspace_without_slots_says_so(client: Client, reader: User, tenant: Tenant) -> None:
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant, paused=True)))
    html = open_session(client, reader).get("/w/contoso/").content.decode()

    assert "No slots today." in html
    assert "No scheduled backups in the last 30 days." in html
    assert "Unusually long" not in html
