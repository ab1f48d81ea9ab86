"""Blocked slots with one cause are one run that needs attention, with their number and range."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import Client
from django.utils.html import strip_tags

from backups import services
from backups.integrity import unexplained_schedules
from backups.models import BackupSchedule
from backups.tick import tick
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.db import database_now
from tenancy.models import Tenant, TenantStatus, User
from tenancy.times import short_text
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory, utc
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

FIVE = dt.timedelta(minutes=5)
SLOTS = 24


@pytest.fixture
def start() -> dt.datetime:
    """The time of a slot about two hours ago."""
    now = database_now()
    return now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - (SLOTS - 1) * FIVE


@pytest.fixture
def schedule(tenant: Tenant, start: dt.datetime) -> BackupSchedule:
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=start)
    return schedule


def suspend(tenant: Tenant) -> None:
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.SUSPENDED)


def tick_through(start: dt.datetime, slots: int = SLOTS) -> None:
    for number in range(slots):
        tick(start + number * FIVE + dt.timedelta(seconds=30))


def slot_runs(schedule: BackupSchedule) -> list[OperationRun]:
    runs = OperationRun.objects.filter(context__backup_schedule_id=schedule.pk)
    return list(runs.filter(type="backup_schedule.scheduled").order_by("pk"))


def text(slot: dt.datetime) -> str:
    return f"{slot:%Y-%m-%dT%H:%MZ}"


def test_two_hours_of_a_suspended_tenant_need_attention_once(
    schedule: BackupSchedule, start: dt.datetime
) -> None:
    suspend(schedule.tenant)

    tick_through(start)

    (run,) = slot_runs(schedule)
    assert run.failures[0]["code"] == "tenant_suspended"
    last = start + (SLOTS - 1) * FIVE
    assert run.context["repeated"] == {"slots": SLOTS, "first": text(start), "last": text(last)}
    assert OperationRun.objects.needs_attention().count() == 1
    assert unexplained_schedules() == []


def test_two_hours_of_one_backup_need_attention_once(
    schedule: BackupSchedule, start: dt.datetime, operator: User
) -> None:
    active = services.run_now(BackupSchedule.objects.with_scope().get(), operator).run

    tick_through(start)

    (run,) = slot_runs(schedule)
    assert run.context["previous_run_id"] == active.pk
    assert run.context["repeated"]["slots"] == SLOTS
    assert unexplained_schedules() == []


def test_another_cause_begins_another_run(
    schedule: BackupSchedule, start: dt.datetime, operator: User
) -> None:
    """A second backup, a suspension, or a slot that started ends the range."""
    service = OperationRunService()
    scoped = BackupSchedule.objects.with_scope().get()
    for number in range(2):
        active = services.run_now(scoped, operator).run
        tick_through(start + 2 * number * FIVE, 2)
        assert service.claim(active.pk, "worker")
        service.complete(active.pk)
    suspend(schedule.tenant)
    tick_through(start + 4 * FIVE, 2)
    Tenant.objects.update(status=TenantStatus.ACTIVE)
    tick_through(start + 6 * FIVE, 2)

    runs = slot_runs(schedule)
    codes = [run.failures[0]["code"] if run.failures else "" for run in runs]
    overlap = "previous_run_active"
    assert codes == [overlap, overlap, "tenant_suspended", "", overlap]
    assert [run.context.get("repeated", {}).get("slots") for run in runs] == [2, 2, 2, None, None]


def test_a_range_that_began_before_the_checked_period_explains_its_slots(tenant: Tenant) -> None:
    now = database_now()
    start = now.replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=120)
    schedule = BackupScheduleFactory(tenant=tenant, cron="0 * * * *", due=start)
    suspend(tenant)
    for number in range(121):
        tick(start + dt.timedelta(hours=number, seconds=30))
    OperationRunService()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE operation_runs SET created_at = %s", [start])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    assert len(slot_runs(schedule)) == 1
    assert unexplained_schedules() == []


def test_pages_show_the_number_of_slots_and_their_range(
    client: Client, schedule: BackupSchedule, start: dt.datetime, reader: User
) -> None:
    suspend(schedule.tenant)
    tick_through(start)
    (run,) = slot_runs(schedule)
    session = open_session(client, reader)
    last = short_text(start + (SLOTS - 1) * FIVE, dt.UTC)
    in_full = f"24 slots from {short_text(start, dt.UTC)} to {last}"
    shown = {
        run.get_absolute_url(): in_full,
        schedule.get_absolute_url(): f"24 slots until {last}",
        f"/w/{schedule.workspace.slug}/": in_full,
        f"/w/{schedule.workspace.slug}/runs/?view=attention": in_full,
    }

    for page, text in shown.items():
        content = session.get(page).content.decode()
        titles = " ".join(re.findall(r'title="([^"]*)"', content))
        assert text in f"{strip_tags(content)} {titles}"


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_ticks_count_every_slot_once() -> None:
    tenant, ticks = TenantFactory(), 4
    schedules = BackupScheduleFactory.create_batch(
        10, tenant=tenant, cron="* * * * *", due=utc(2026, 3, 8, 2, 0)
    )
    suspend(tenant)
    barrier = threading.Barrier(ticks)

    def tick_every_minute() -> None:
        try:
            for minute in range(10):
                barrier.wait(timeout=60)
                tick(utc(2026, 3, 8, 2, minute))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(ticks) as pool:
        for future in [pool.submit(tick_every_minute) for _ in range(ticks)]:
            future.result()
    tick(utc(2026, 3, 8, 2, 9))

    for schedule in schedules:
        (run,) = slot_runs(schedule)
        assert run.context["repeated"]["slots"] == 10


REPEATED = {"slots": 3, "first": "2026-03-08T02:00Z", "last": "2026-03-08T02:10Z"}


@pytest.fixture
def blocked(tenant: Tenant) -> OperationRun:
    """A blocked run that stands for two slots, 02:00 and 02:05."""
    slot = utc(2026, 3, 8, 2, 0)
    schedule = BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", due=slot)
    suspend(tenant)
    tick_through(slot, 2)
    (run,) = slot_runs(schedule)
    return run


def write(run: OperationRun, context: dict[str, Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET context = %s WHERE id = %s", [json.dumps(context), run.pk]
        )


def test_the_range_of_a_blocked_run_can_grow(blocked: OperationRun) -> None:
    write(blocked, {**blocked.context, "repeated": REPEATED})


@pytest.mark.parametrize(
    "change",
    [
        {"slots": 2},
        {"slots": 1},
        {"slots": "3"},
        {"slots": 3.5},
        {"slots": None},
        {"first": "2026-03-08T01:55Z"},
        {"first": None},
        {"last": "2026-03-08T02:05Z"},
        {"last": "2026-03-08T02:00Z"},
        {"last": "tomorrow"},
        {"last": None},
        {"note": "more"},
    ],
)
def test_the_range_of_a_blocked_run_changes_in_no_other_way(
    blocked: OperationRun, change: dict[str, Any]
) -> None:
    with pytest.raises(DatabaseError):
        write(blocked, {**blocked.context, "repeated": {**REPEATED, **change}})


def test_the_range_of_a_blocked_run_cannot_be_removed(blocked: OperationRun) -> None:
    with pytest.raises(DatabaseError, match="only its repeated slots can grow"):
        write(blocked, {key: blocked.context[key] for key in blocked.context if key != "repeated"})


def test_nothing_else_of_the_context_changes_with_the_range(blocked: OperationRun) -> None:
    with pytest.raises(DatabaseError, match="context cannot be changed"):
        write(blocked, {**blocked.context, "repeated": REPEATED, "cron": "0 0 * * *"})


def test_a_run_that_is_not_blocked_has_no_range(tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, due=utc(2026, 3, 8, 2, 30))
    tick(utc(2026, 3, 8, 2, 30))
    (run,) = slot_runs(schedule)

    with pytest.raises(DatabaseError, match="only its repeated slots can grow"):
        write(run, {**run.context, "repeated": REPEATED})
