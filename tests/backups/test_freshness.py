"""A backup is late by the strictest schedule of its tenant, whichever one runs next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from backups.freshness import Freshness, freshness_of, late_from
from backups.models import BackupSchedule, BackupSet, RevisionReason
from backups.revisions import record_revisions
from tenancy.db import database_now
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupScheduleFactory,
    BackupSetFactory,
    finish,
    utc,
)
from tests.support.sessions import open_session

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
DAILY, WEEKLY, MONTHLY = "0 2 * * *", "0 2 * * 1", "0 0 1 * *"
LAST = utc(2026, 1, 10, 2, 5)


def row(now: dt.datetime, *crons: str, last: dt.datetime | None = LAST) -> Freshness:
    schedules = [BackupSchedule(cron=cron, timezone="UTC") for cron in crons]
    return Freshness(Tenant(name="Fabrikam"), last, schedules, now)


@pytest.mark.parametrize(
    ("crons", "late"),
    [
        # The first slot after the backup of Saturday, January 10, and two hours; at least 26 hours.
        ([DAILY], utc(2026, 1, 11, 4, 5)),
        ([WEEKLY], utc(2026, 1, 12, 4)),
        ([MONTHLY], utc(2026, 2, 1, 2)),
        ([DAILY, MONTHLY], utc(2026, 1, 11, 4, 5)),
        ([MONTHLY, DAILY], utc(2026, 1, 11, 4, 5)),
        ([MONTHLY, WEEKLY], utc(2026, 1, 12, 4)),
        (["*/5 * * * *", MONTHLY], utc(2026, 1, 11, 4, 5)),
        ([], utc(2026, 1, 11, 4, 5)),
        (["not a cron expression"], utc(2026, 1, 11, 4, 5)),
        ([MONTHLY, "not a cron expression"], utc(2026, 2, 1, 2)),
    ],
)
def test_the_strictest_schedule_decides(crons: list[str], late: dt.datetime) -> None:
    assert late_from(LAST, row(LAST, *crons).schedules) == late
    assert not row(late, *crons).is_late
    assert row(late + dt.timedelta(seconds=1), *crons).is_late


@pytest.mark.parametrize("monthly_due", [utc(2026, 2, 1, 0), utc(2026, 3, 1, 0)])
def test_a_rarer_schedule_that_runs_next_hides_nothing(monthly_due: dt.datetime) -> None:
    """A backup that is 21 days old, hours before the monthly slot and before the daily one."""
    late = row(utc(2026, 1, 31, 12), DAILY, MONTHLY)
    schedules: list[Any] = list(late.schedules)
    schedules[0].next_run_at, schedules[1].next_run_at = utc(2026, 2, 1, 2), monthly_due

    assert late.is_late
    assert late.next_run_at == min(utc(2026, 2, 1, 2), monthly_due)


def test_a_tenant_without_a_complete_backup_is_late() -> None:
    assert row(LAST, MONTHLY, last=None).is_late


def create_backup(tenant: Tenant, at: dt.datetime, *crons: str) -> BackupSet:
    schedules = [BackupScheduleFactory(tenant=tenant, cron=cron) for cron in crons]
    return finish(BackupSetFactory(schedule=schedules[0], started_at=at), ended_at=at)


@pytest.mark.django_db
def test_paused_schedules_and_those_of_other_tenants_demand_nothing(workspace: Workspace) -> None:
    now = database_now()
    yearly = f"0 0 {now.day} {now.month} *"
    not_soon = f"0 0 1 {(now + 100 * DAY).month} *"
    for name in ("Paused", "Other"):
        tenant = TenantFactory(workspace=workspace, name=name)
        create_backup(tenant, now - 3 * DAY, not_soon)
    paused = BackupScheduleFactory(tenant__workspace=workspace, cron=yearly, paused=True)
    BackupScheduleFactory(tenant=Tenant.objects.get(name="Paused"), cron=DAILY, paused=True)

    late = {each.tenant.name: each.is_late for each in freshness_of(workspace)}

    assert late == {"Paused": False, "Other": False, paused.tenant.name: True}


@pytest.mark.django_db
def test_500_tenants_take_three_queries(
    workspace: Workspace, django_assert_num_queries: Callable[..., Any]
) -> None:
    tenants = Tenant.objects.bulk_create(
        TenantFactory.build(workspace=workspace) for _ in range(500)
    )
    with transaction.atomic():
        schedules = BackupSchedule.objects.bulk_create(
            BackupScheduleFactory.build(tenant=tenant, workspace=workspace, cron=cron, name=cron)
            for tenant in tenants
            for cron in (DAILY, MONTHLY)
        )
        record_revisions(schedules, RevisionReason.CREATED)

    with django_assert_num_queries(3):
        rows = freshness_of(workspace)
        late = sum(each.is_late for each in rows)

    assert (len(rows), late) == (500, 500)


@pytest.mark.django_db
def test_every_page_says_that_the_backup_is_late(
    client: Client, reader: User, tenant: Tenant
) -> None:
    create_backup(tenant, database_now() - 27 * HOUR, MONTHLY, "*/30 * * * *")
    open_session(client, reader)

    overview = client.get("/w/contoso/").content.decode()
    page = client.get(tenant.get_absolute_url()).content.decode()

    assert 'state=late"><strong data-outcome="late">1</strong>' in overview
    assert "Late" in page
