"""An archived tenant is hidden and stands still; its runs and sets can be read."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from backups import services as backups
from backups.models import BackupSchedule
from backups.services import TENANT_ARCHIVED
from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import NotRetryable, OperationRunService
from operations.worker.retrying import retry_after_loss
from tenancy import services
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory, UserFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

REASON = "The contract has ended"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    return open_session(client, owner)


@pytest.fixture
def nightly(tenant: Tenant) -> BackupSchedule:
    schedule: BackupSchedule = BackupScheduleFactory(tenant=tenant, name="Nightly")
    return schedule


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return " ".join(answer.content.decode().split())


def archive(tenant: Tenant, owner: User) -> Tenant:
    services.archive(tenant, by=owner, reason=REASON)
    tenant.refresh_from_db()
    return tenant


def test_an_owner_archives_a_tenant_and_brings_it_back(
    page: Client, tenant: Tenant, nightly: BackupSchedule
) -> None:
    page.post(f"{tenant.get_absolute_url()}archive/", {"reason": REASON})

    text = text_of(page, tenant.get_absolute_url())
    assert "This tenant is archived." in text
    assert "By <bdi>owen</bdi>, <time" in text
    assert REASON in text
    assert "Back up now" not in text
    nightly.refresh_from_db()
    assert nightly.is_paused

    page.post(f"{tenant.get_absolute_url()}resume/")

    tenant.refresh_from_db()
    assert tenant.is_active
    assert not BackupSchedule.objects.get(pk=nightly.pk).is_paused
    assert "archived" not in text_of(page, tenant.get_absolute_url())


@pytest.mark.parametrize("reason", ["", "  ", "x" * 301])
@pytest.mark.parametrize("change", ["archive", "suspend"])
def test_a_reason_is_required(page: Client, tenant: Tenant, change: str, reason: str) -> None:
    answer = page.post(f"{tenant.get_absolute_url()}{change}/", {"reason": reason}, follow=True)

    assert "Enter a reason" in answer.content.decode()
    tenant.refresh_from_db()
    assert tenant.is_active


def test_lists_and_menus_do_not_show_it(
    page: Client, tenant: Tenant, nightly: BackupSchedule, owner: User, workspace: Workspace
) -> None:
    TenantFactory(workspace=workspace, name="Northwind")
    ProviderConnectionFactory(tenant=tenant)
    archive(tenant, owner)

    addresses = ["tenants", "connections", "connections/new", "schedules", "schedules/new"]
    addresses += ["freshness", "runs", "backup-sets", "inventory/policies"]
    for address in addresses:
        assert "Fabrikam" not in text_of(page, f"/w/contoso/{address}/"), address


def test_it_is_found_with_its_status_and_its_history_can_be_read(
    page: Client, tenant: Tenant, nightly: BackupSchedule, owner: User
) -> None:
    run = OperationRunFactory(tenant=tenant, succeeded=True)
    backup_set = finish(BackupSetFactory(schedule=nightly))
    archive(tenant, owner)

    assert "Fabrikam" in text_of(page, "/w/contoso/tenants/?status=archived")
    assert f"/runs/{run.pk}/" in text_of(page, f"/w/contoso/runs/?tenant={tenant.pk}")
    for row in (run, backup_set, nightly):
        assert "Fabrikam" in text_of(page, row.get_absolute_url())


def test_only_schedules_that_the_archive_paused_start_again(
    tenant: Tenant, nightly: BackupSchedule, owner: User
) -> None:
    paused = BackupScheduleFactory(tenant=tenant, paused=True)
    archive(tenant, owner)
    nightly.refresh_from_db()
    assert nightly.pause_reason == TENANT_ARCHIVED

    services.resume(tenant, by=owner)

    nightly.refresh_from_db()
    paused.refresh_from_db()
    assert (nightly.is_paused, paused.is_paused) == (False, True)


def test_a_suspended_tenant_can_be_archived(tenant: Tenant, owner: User) -> None:
    services.suspend(tenant, by=owner, reason="Late payment")

    assert archive(tenant, owner).is_archived


def test_no_operation_starts_on_it(
    page: Client, tenant: Tenant, nightly: BackupSchedule, owner: User
) -> None:
    failed = OperationRunFactory(tenant=tenant, failed=True, context={"idempotency": {}})
    archive(tenant, owner)
    runs = OperationRun.objects.count()

    for address in (
        reverse("inventory_sync", args=["contoso", tenant.pk]),
        reverse("schedule_run_now", args=["contoso", nightly.pk]),
        reverse("run_retry", args=[failed.pk]),
    ):
        assert "is archived" in page.post(address, follow=True).content.decode(), address

    assert OperationRun.objects.count() == runs
    failed.refresh_from_db()
    with pytest.raises(NotRetryable, match="archived"):
        OperationRunService().retry(OperationRun.objects.with_scope().get(pk=failed.pk), by=owner)
    stored = BackupSchedule.objects.with_scope().get(pk=nightly.pk)
    with pytest.raises(Blocked, match="archived"):
        backups.run_now(stored, owner)


def test_a_lost_run_on_it_is_not_retried(tenant: Tenant, owner: User) -> None:
    run = OperationRunFactory(tenant=tenant, failed=True, type="inventory.sync")
    archive(tenant, owner)

    retry_after_loss(OperationRun.objects.with_scope().get(pk=run.pk))

    assert run.events.get().message == "Not retried: The tenant Fabrikam is archived."
    assert OperationRun.objects.count() == 1


def test_its_schedules_are_not_resumed_and_get_no_new_ones(
    page: Client, tenant: Tenant, nightly: BackupSchedule, owner: User
) -> None:
    archive(tenant, owner)

    answer = page.post(f"{nightly.get_absolute_url()}resume/", follow=True)

    assert "Bring it back first" in answer.content.decode()
    template = BackupSchedule(
        workspace=tenant.workspace, name="New", cron="0 3 * * *", kinds=["compliance"]
    )
    with pytest.raises(ValidationError, match="archived"):
        backups.create_for(template, [tenant], by=owner)


def test_staff_change_the_status_with_an_entry(
    client: Client, tenant: Tenant, nightly: BackupSchedule
) -> None:
    open_session(client, UserFactory(username="sara", is_staff=True, is_superuser=True))

    client.post(
        f"/admin/tenancy/tenant/{tenant.pk}/change/", {"name": "Fabrikam", "status": "archived"}
    )

    tenant.refresh_from_db()
    nightly.refresh_from_db()
    assert (tenant.status_changed_by_name, tenant.status_reason) == ("sara", "Changed by staff")
    assert nightly.is_paused


# --- guards ---------------------------------------------------------------------------------


def attack(statement: str, **params: Any) -> None:
    """Run a statement with its deferred checks.

    Raises:
        IntegrityError: a guard refuses it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_raw_sql_starts_no_run_on_it(tenant: Tenant, owner: User) -> None:
    archive(tenant, owner)

    with pytest.raises(IntegrityError, match="is archived"), transaction.atomic():
        OperationRunFactory(tenant=tenant)
    # What ended at once, such as a blocked slot, is recorded.
    OperationRunFactory(tenant=tenant, blocked=True)


def test_raw_sql_does_not_archive_without_a_reason(tenant: Tenant) -> None:
    with pytest.raises(IntegrityError, match="tenants_archived_for_a_reason"):
        attack("UPDATE tenants SET status = 'archived'")


def test_raw_sql_does_not_archive_while_a_schedule_runs(
    tenant: Tenant, nightly: BackupSchedule
) -> None:
    with pytest.raises(IntegrityError, match="schedules are not paused"):
        attack(
            "UPDATE tenants SET status = 'archived', status_reason = 'x', status_changed_at = now()"
        )


def test_raw_sql_resumes_and_adds_no_schedule(
    tenant: Tenant, nightly: BackupSchedule, owner: User
) -> None:
    archive(tenant, owner)

    with pytest.raises(IntegrityError, match="is archived"):
        attack(
            "UPDATE backup_schedules SET paused_at = NULL, pause_reason = '', paused_by_id = NULL,"
            " next_run_at = now() + interval '1 hour'"
        )
    with pytest.raises(IntegrityError, match="is archived"), transaction.atomic():
        BackupScheduleFactory(tenant=tenant)
