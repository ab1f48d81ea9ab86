"""What the list of tenants tells of their backups."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from backups.tenant_page import last_complete_backup
from tenancy.models import Tenant
from tests.backups.factories import BackupScheduleFactory, BackupSetFactory, finish

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("age", "state"), [(2, "good"), (27, "warn"), (24 * 90, "warn")])
def test_an_old_backup_is_not_called_good(tenant: Tenant, age: int, state: str) -> None:
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    finish(backup, finished_at=timezone.now() - dt.timedelta(hours=age))

    assert last_complete_backup([tenant])[tenant.pk].state == state


def test_a_tenant_without_a_backup_stands_out(tenant: Tenant) -> None:
    assert last_complete_backup([tenant])[tenant.pk].state == "bad"
