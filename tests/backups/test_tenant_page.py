"""The backup column of the list of tenants."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from backups.tenant_page import last_complete_backup
from tenancy.models import Tenant
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("age", "state"), [(2, "good"), (27, "warn"), (24 * 90, "warn")])
def test_an_old_backup_is_a_warning(tenant: Tenant, age: int, state: str) -> None:
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    finish(backup, ended_at=timezone.now() - dt.timedelta(hours=age))

    assert last_complete_backup([tenant])[tenant.pk].state == state


def test_a_tenant_without_a_backup_is_bad(tenant: Tenant) -> None:
    assert last_complete_backup([tenant])[tenant.pk].state == "bad"


@pytest.mark.parametrize(("weeks", "state"), [(0.5, "good"), (1.5, "warn")])
def test_a_weekly_backup_is_late_only_after_its_next_slot(
    tenant: Tenant, weeks: float, state: str
) -> None:
    at = timezone.now() - dt.timedelta(weeks=weeks)
    # The weekly slot is one hour before the time of the backup.
    slot = at - dt.timedelta(hours=1)
    cron = f"{slot.minute} {slot.hour} * * {slot.isoweekday() % 7}"
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant, cron=cron))
    finish(backup, ended_at=at)

    assert last_complete_backup([tenant])[tenant.pk].state == state


def test_without_a_schedule_a_backup_of_two_days_ago_is_late(tenant: Tenant) -> None:
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant, paused=True))
    finish(backup, ended_at=timezone.now() - dt.timedelta(days=2))

    assert last_complete_backup([tenant])[tenant.pk].state == "warn"
