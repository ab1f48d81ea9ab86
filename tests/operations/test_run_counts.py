"""The runs by hour are those of the table, whichever of them are counted already."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from operations.database_roles import create_or_update_role, grant_application_privileges
from operations.maintenance.reconciler import reconcile
from operations.metrics.counting import update_metrics
from operations.models import MetricIncrement, OperationRun, OperationRunTombstone, RunCount
from operations.presentation.hours import HourCount, count_by_hour, day_of, hour_of
from operations.reasons import SafeError
from operations.services import OperationRunService
from tenancy.db import database_now
from tenancy.models import Tenant, User, Workspace
from tests.support.database import SharedRows
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.operations import (
    build_slot_request,
    create_ended_run,
    create_past_run,
    create_queued_run,
    create_running_run,
    prune,
)

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 10, 25, 12, 7, 30, tzinfo=dt.UTC)
OUTCOMES = ("succeeded", "failed", "blocked", "running", "queued")


def read_runs(workspace: Workspace, now: dt.datetime) -> set[HourCount]:
    """Count the runs of the table, one after the other."""
    yesterday = now - dt.timedelta(hours=24)
    midnight, _ = day_of(now, zoneinfo.ZoneInfo(workspace.timezone))
    every: Counter[tuple[dt.datetime, str, str]] = Counter()
    recent: Counter[tuple[dt.datetime, str, str]] = Counter()
    for run in workspace.operation_runs.filter(created_at__gte=min(yesterday, midnight)):
        key = hour_of(run.created_at, workspace), run.type, run.outcome
        every[key] += 1
        recent[key] += run.created_at >= yesterday
    return {HourCount(*key, count, recent[key]) for key, count in every.items()}


def assert_same(workspace: Workspace, now: dt.datetime) -> None:
    expected = read_runs(workspace, now)
    counted = count_by_hour(workspace, now)
    assert len(counted) == len(expected)
    assert set(counted) == expected


# --- at every time, in every zone -----------------------------------------------------------------


@pytest.fixture(scope="module")
def workspace_with_runs(shared_rows: SharedRows) -> Workspace:
    """Runs of 26 hours and of another workspace: the first ones counted, others not yet."""
    with shared_rows():
        tenant, other = TenantFactory(), TenantFactory()
        for number, minutes in enumerate(range(-3, 26 * 60, 13)):
            at = NOW - dt.timedelta(minutes=minutes)
            trait = OUTCOMES[number % len(OUTCOMES)]
            traits = {} if trait == "queued" else {trait: True}
            OperationRunFactory(
                tenant=other if number % 7 == 0 else tenant,
                type="inventory.sync" if number % 3 else "backup_schedule.run_now",
                created_at=at,
                run_identity_hash=f"{number:064x}",
                **traits,
            )
            if number == 60:
                update_metrics()
        assert RunCount.objects.exists()
        assert MetricIncrement.objects.filter(kind="run_ended").exists()
        workspace: Workspace = tenant.workspace
        return workspace


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham"]
)
@pytest.mark.parametrize(
    "now",
    [
        NOW,
        NOW.replace(minute=15, second=0),
        NOW.replace(hour=0, minute=0, second=0),
        NOW.replace(hour=23, minute=59, second=59) - dt.timedelta(hours=1),
    ],
    ids=str,
)
def test_the_counts_are_those_of_the_runs(
    workspace_with_runs: Workspace, zone: str, now: dt.datetime
) -> None:
    """Also on the day of 25 hours, which is this one in Berlin."""
    workspace_with_runs.timezone = zone

    assert_same(workspace_with_runs, now)


# --- after every kind of change ---------------------------------------------------------------------


def end_lost_run(tenant: Tenant) -> None:
    run = create_running_run(tenant)
    OperationRun.objects.filter(pk=run.pk).update(
        heartbeat_at=database_now() - dt.timedelta(days=1)
    )
    reconcile()
    run.refresh_from_db()
    assert not run.is_active


def repeat_slot(tenant: Tenant) -> None:
    blocked = SafeError("tenant_suspended", tenant="Fabrikam")
    for minute in (0, 1):
        request = build_slot_request(tenant, 3, f"2026-03-08T07:0{minute}Z")
        OperationRunService().block_slots([(request, blocked)])


def cancel(tenant: Tenant) -> None:
    user = User.objects.create(username="rita")
    OperationRunService().request_cancel(create_queued_run(tenant), by=user)


def retention(tenant: Tenant) -> None:
    for days in (900, 800):
        create_past_run(tenant, days)
    prune(tenant.workspace)
    assert OperationRunTombstone.objects.exists()


CHANGES: dict[str, Callable[[Tenant], Any]] = {
    "requested": create_queued_run,
    "claimed": create_running_run,
    "succeeded": lambda tenant: create_ended_run(tenant, succeeded=1),
    "failed": lambda tenant: create_ended_run(tenant, total=1),
    "partially succeeded": lambda tenant: create_ended_run(tenant, succeeded=1, failed=1),
    "cancelled": cancel,
    "lost": end_lost_run,
    "blocked": repeat_slot,
    "removed": retention,
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_of_a_run_is_counted(tenant: Tenant, change: str, settings: Settings) -> None:
    settings.RUN_KEEP_LAST = 1
    create_ended_run(tenant, succeeded=1)
    update_metrics()

    CHANGES[change](tenant)

    assert_same(tenant.workspace, database_now())
    update_metrics()
    assert not MetricIncrement.objects.exists()
    assert_same(tenant.workspace, database_now())


_END = (
    "UPDATE operation_runs SET status = 'completed', outcome = 'cancelled', completed_at = now()"
    " WHERE status = 'queued'"
)
_INSERT = (
    "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,"
    " run_identity_hash, created_at, completed_at) SELECT workspace_id, tenant_id, 'Eve',"
    " 'inventory.sync', 'completed', 'failed', encode(sha256(id::text::bytea), 'hex'), created_at - interval '3 hours', now()"
    " FROM operation_runs"
)


def test_raw_sql_of_the_application_is_counted(
    tenant: Tenant, as_application: Callable[[], None]
) -> None:
    create_ended_run(tenant, succeeded=1)
    create_queued_run(tenant, 2)
    as_application()

    with connection.cursor() as cursor:
        for statement in (_END, _INSERT):
            cursor.execute(statement)
            assert_same(tenant.workspace, database_now())
            update_metrics()
            assert_same(tenant.workspace, database_now())


@pytest.fixture
def as_application(db: None) -> Iterator[Callable[[], None]]:
    """Return a function from which on the role is that of web, worker and beat."""
    create_or_update_role("app_counts", "secret")
    grant_application_privileges("app_counts")

    def become() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE app_counts")

    yield become
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


# --- old counts, and counting again -----------------------------------------------------------------


def test_counts_are_removed_when_they_and_the_newest_are_old(tenant: Tenant) -> None:
    def days() -> list[int]:
        update_metrics()
        return [(now - each).days for each in RunCount.objects.values_list("quarter", flat=True)]

    now = database_now() + dt.timedelta(hours=1)
    create_past_run(tenant, 5)
    create_past_run(tenant, 4)
    # A clock that is wrong for one tick removes nothing.
    before = days()
    create_past_run(tenant, 0)

    assert sorted(before) == [4, 5]
    assert days() == [0]


def test_counting_again_repairs_the_counts(
    tenant: Tenant, as_application: Callable[[], None]
) -> None:
    create_ended_run(tenant, succeeded=1)
    update_metrics()
    create_ended_run(tenant, 2, succeeded=1)
    create_running_run(tenant, 3)
    RunCount.objects.update(runs=5)
    as_application()

    call_command("recount_runs")

    assert [row.runs for row in RunCount.objects.all()] == [1]
    assert_same(tenant.workspace, database_now())
