"""The numbers of whole workspaces are those of their tenants, judged one by one."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from backups.fleet import freshness_of_workspaces
from backups.freshness import Freshness, freshness_of
from backups.models import BackupObjective
from tenancy.db import database_now
from tenancy.models import Tenant, Workspace
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
#: The ages of the last complete backup around each objective and its two hours.
AGES = (None, 9, 17, 25, 27, 51)
#: The cron expressions of the schedules with their own objectives.
SCHEDULES = (
    (),
    (("0 2 * * *", None),),
    (("0 2 * * *", 15), ("0 */6 * * *", None)),
    (("0 0 1 * *", None), ("0 3 * * 0", 48)),
)
OBJECTIVES = (None, 8)


def create_tenants(workspace: Workspace) -> None:
    """Create a tenant for each combination of an age, schedules and an objective."""
    now = database_now()
    for age, schedules, hours in itertools.product(AGES, SCHEDULES, OBJECTIVES):
        tenant = TenantFactory(workspace=workspace)
        for cron, objective in schedules:
            BackupScheduleFactory(tenant=tenant, cron=cron, objective_hours=objective)
        BackupScheduleFactory(tenant=tenant, cron="*/5 * * * *", objective_hours=1, paused=True)
        if hours:
            BackupObjective.objects.create(workspace=workspace, tenant=tenant, hours=hours)
        if age:
            add_set(tenant, now - age * HOUR)


def add_set(tenant: Tenant, at: dt.datetime) -> None:
    schedule = BackupScheduleFactory(tenant=tenant, paused=True)
    finish(BackupSetFactory(schedule=schedule, started_at=at), ended_at=at)


def test_the_numbers_are_those_of_each_tenant(workspace: Workspace) -> None:
    create_tenants(workspace)
    add_set(TenantFactory(workspace=workspace, status="suspended"), database_now() - 500 * HOUR)
    other = WorkspaceFactory()
    add_set(TenantFactory(workspace=other), database_now() - 500 * HOUR)

    compare(workspace, other)
    BackupObjective.objects.create(workspace=workspace, hours=48)
    compare(workspace, other)


def compare(workspace: Workspace, other: Workspace) -> None:
    fleet = freshness_of_workspaces([workspace.pk, other.pk], rows=12)

    rows = freshness_of(workspace)
    assert fleet.total[workspace.pk] == len(rows)
    assert fleet.never[workspace.pk] == sum(row.is_never for row in rows) > 0
    assert fleet.unscheduled[workspace.pk] == sum(row.is_unscheduled for row in rows) > 0
    assert fleet.late[workspace.pk] == sum(row.is_overdue for row in rows) > 0
    assert fleet.late[workspace.pk] < len(rows) - fleet.never[workspace.pk]
    assert (fleet.total[other.pk], fleet.late[other.pk]) == (1, 1)
    stalest = [row for row in fleet.stalest if row.tenant.workspace_id == workspace.pk]
    assert [shown(row) for row in stalest] == [shown(row) for row in rows[:12]]


def shown(row: Freshness) -> tuple[object, ...]:
    """What a page shows of a tenant."""
    times = row.last_complete_at, row.next_run_at, row.objective, row.objective_source
    return row.tenant, row.tenant.name, times, row.is_late, row.is_unscheduled


def test_a_workspace_without_tenants_has_no_numbers(workspace: Workspace) -> None:
    fleet = freshness_of_workspaces([workspace.pk], rows=6)

    assert (fleet.total[workspace.pk], list(fleet.stalest)) == (0, [])
