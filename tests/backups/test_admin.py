"""Backups in Django admin: schedules can be changed, backup sets cannot."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from backups.models import BackupSchedule
from operations.models import OperationRun
from tenancy.models import Tenant, User
from tests.support.factories import TenantFactory, UserFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def support(client: Client) -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True)
    open_session(client, user)
    return user


def form_of(tenant: Tenant, /, **more: object) -> dict[str, object]:
    return {
        "workspace": tenant.workspace_id,
        "tenant": tenant.pk,
        "name": "Nightly",
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "kinds": ["compliance", "conditional_access"],
        "retention_keep_sets": 3,
        "retention_keep_days": 30,
        "misfire_policy": "skip",
        "misfire_grace": "01:00:00",
    } | more


def test_support_creates_a_schedule(client: Client, support: User, tenant: Tenant) -> None:
    response = client.post(reverse("admin:backups_backupschedule_add"), form_of(tenant))

    assert response.status_code == 302, response.context["errors"]
    schedule = BackupSchedule.objects.get()
    assert schedule.kinds == ["compliance", "conditional_access"]
    assert schedule.next_run_at


def test_support_changes_a_schedule(client: Client, support: User, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    address = reverse("admin:backups_backupschedule_change", args=[schedule.pk])

    client.post(address, form_of(tenant, cron="0 5 * * *"))

    schedule.refresh_from_db()
    assert (schedule.cron, schedule.name) == ("0 5 * * *", "Nightly")


def test_a_schedule_stays_with_its_tenant(client: Client, support: User, tenant: Tenant) -> None:
    schedule = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)).schedule
    other_tenant = TenantFactory(workspace=tenant.workspace)
    address = reverse("admin:backups_backupschedule_change", args=[schedule.pk])

    client.post(address, form_of(other_tenant, name="Weekly"))

    schedule.refresh_from_db()
    assert (schedule.tenant, schedule.name) == (tenant, "Weekly")


def test_a_duplicate_name_is_a_form_error(client: Client, support: User, tenant: Tenant) -> None:
    BackupScheduleFactory(tenant=tenant, name="Nightly")
    schedule = BackupScheduleFactory(tenant=tenant, name="Weekly")
    address = reverse("admin:backups_backupschedule_change", args=[schedule.pk])

    response = client.post(address, form_of(tenant, name="Nightly"))

    assert response.status_code == 200
    assert "already has a schedule with this name" in response.content.decode()


def test_a_schedule_cannot_be_deleted(client: Client, support: User, tenant: Tenant) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)
    address = reverse("admin:backups_backupschedule_delete", args=[schedule.pk])

    assert client.post(address, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cron", "0 0 31 2 *", "cron expression"),
        ("timezone", "Mars/Olympus", "time zone"),
        ("kinds", [], "required"),
        ("retention_keep_sets", 0, "schedules_retention_positive"),
    ],
)
def test_an_invalid_value_is_rejected_with_a_message(
    client: Client, support: User, tenant: Tenant, *, field: str, value: object, message: str
) -> None:
    response = client.post(
        reverse("admin:backups_backupschedule_add"), form_of(tenant, **{field: value})
    )

    assert message in response.content.decode()
    assert not BackupSchedule.objects.exists()


def test_a_tenant_of_another_workspace_is_rejected(
    client: Client, support: User, tenant: Tenant
) -> None:
    other_tenant = TenantFactory()

    response = client.post(
        reverse("admin:backups_backupschedule_add"), form_of(tenant, tenant=other_tenant.pk)
    )

    assert "belongs to another workspace" in response.content.decode()


@pytest.mark.parametrize("action", ["run_now", "pause", "resume"])
def test_the_actions_call_the_service(
    client: Client, support: User, tenant: Tenant, action: str
) -> None:
    schedule = BackupScheduleFactory(tenant=tenant)

    response = client.post(
        reverse("admin:backups_backupschedule_changelist"),
        {"action": action, "_selected_action": [schedule.pk]},
        follow=True,
    )

    schedule.refresh_from_db()
    assert response.status_code == 200
    assert schedule.is_paused is (action == "pause")
    assert OperationRun.objects.exists() is (action == "run_now")


@pytest.mark.parametrize("model", ["backupset", "backupitem", "policyversion"])
def test_backup_data_is_read_only(client: Client, support: User, model: str) -> None:
    item = BackupItemFactory()
    pk = {
        "backupset": item.backup_set_id,
        "backupitem": item.pk,
        "policyversion": item.version_id,
    }[model]

    read_statuses = [
        client.get(reverse(f"admin:backups_{model}_changelist"), {"q": "x"}).status_code,
        client.get(reverse(f"admin:backups_{model}_change", args=[pk])).status_code,
    ]
    write_statuses = [
        client.post(reverse(f"admin:backups_{model}_change", args=[pk])).status_code,
        client.post(reverse(f"admin:backups_{model}_delete", args=[pk])).status_code,
        client.post(reverse(f"admin:backups_{model}_add")).status_code,
    ]

    assert read_statuses == [200, 200]
    assert write_statuses == [403, 403, 403]
