"""Tenants, connections, schedules and selections in a browser without JavaScript."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from backups.models import BackupSchedule, BackupSet, SetPurpose
from operations.models import OperationRun
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace
from tenancy.roles import Role
from tests.browser.conftest import PHONE, save_screenshot, sign_in
from tests.support.factories import TenantFactory, WorkspaceFactory, create_member
from tests.support.factories.backups import BackupItemFactory, BackupSetFactory, finish
from tests.support.factories.inventory import PolicyFactory
from tests.support.factories.providers import ProviderConnectionFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

GUID = "1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10"


@pytest.fixture
def contoso() -> Workspace:
    """A workspace that owen owns."""
    workspace: Workspace = WorkspaceFactory(name="Contoso Services", slug="contoso")
    create_member(workspace, Role.OWNER, username="owen")
    return workspace


@pytest.fixture
def fabrikam(contoso: Workspace) -> Tenant:
    tenant: Tenant = TenantFactory(workspace=contoso, name="Fabrikam")
    return tenant


@pytest.fixture
def page(open_context: Any, contoso: Workspace) -> Page:
    """A phone without JavaScript on which owen is signed in."""
    phone: Page = open_context(java_script_enabled=False, viewport=PHONE).new_page()
    sign_in(phone, "owen")
    return phone


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_a_tenant_is_added_corrected_and_suspended(page: Page) -> None:
    page.goto("/w/contoso/tenants/")
    page.get_by_role("link", name="Add tenant").first.click()
    page.get_by_label("Name").fill("Fabrikam")
    page.get_by_label("Entra tenant ID").fill("nonsense")
    press(page, "Add tenant")
    expect(page.get_by_text("Nothing was saved.", exact=True)).to_be_visible()
    page.get_by_label("Entra tenant ID").fill(GUID)
    press(page, "Add tenant")
    expect(page.get_by_text("Tenant “Fabrikam” added.")).to_be_visible()

    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Name").fill("Fabrikam Ltd")
    press(page, "Save tenant")
    expect(page.get_by_text("Tenant “Fabrikam Ltd” saved.")).to_be_visible()
    page.get_by_text("Suspend tenant").first.click()
    page.get_by_label("Reason").first.fill("The contract\u200b has ended")
    press(page, "Suspend tenant")
    expect(page.get_by_text("Remove the invisible character U+200B")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("The contract\u200b has ended")
    save_screenshot(page, "reason-refused-phone")
    page.get_by_label("Reason").fill("The contract has ended")
    press(page, "Suspend tenant")

    expect(page.get_by_text("suspended. No new runs start on it")).to_be_visible()
    expect(page.get_by_text("The contract has ended").first).to_be_visible()
    page.get_by_text("Archive tenant").first.click()
    page.get_by_label("Reason").fill("Moved to another provider")
    press(page, "Archive tenant")
    press(page, "Bring back tenant")
    expect(page.get_by_text("resumed.")).to_be_visible()


def test_a_connection_is_added_with_its_secret_checked_and_removed(
    page: Page, fabrikam: Tenant
) -> None:
    page.goto("/w/contoso/connections/new/")
    page.get_by_label("Tenant").select_option("Fabrikam")
    page.get_by_label("Application (client) ID").fill(GUID)
    press(page, "Add connection")
    page.get_by_label("Client secret", exact=False).last.fill("a-secret-of-the-app")
    press(page, "Save credential")
    expect(page.get_by_text("Credential saved.")).to_be_visible()
    press(page, "Check connection")
    expect(page.get_by_role("heading", name="is waiting for a worker")).to_be_visible()

    page.goto(ProviderConnection.objects.get().get_absolute_url())
    page.get_by_text("Remove connection").first.click()
    save_screenshot(page, "connection-remove-phone")
    page.get_by_label("Reason").fill("The app was replaced")
    press(page, "Remove connection")

    expect(page.get_by_text("of Fabrikam removed.")).to_be_visible()
    assert not ProviderConnection.objects.exists()


def test_a_schedule_is_previewed_added_paused_resumed_and_run(page: Page, fabrikam: Tenant) -> None:
    Tenant.objects.bulk_create(
        TenantFactory.build(workspace=fabrikam.workspace, name=f"Adatum {number:02}")
        for number in range(60)
    )
    ProviderConnectionFactory(tenant=fabrikam)
    page.goto("/w/contoso/schedules/new/")
    page.get_by_label("Find tenants").fill("fabri")
    press(page, "Find tenants")
    page.get_by_label("Fabrikam").check()
    press(page, "Preview next runs")
    expect(page.get_by_text("The schedule is not saved yet")).to_be_visible()
    save_screenshot(page, "schedule-preview-phone")
    press(page, "Add schedule")
    schedule = BackupSchedule.objects.get()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Days to keep").fill("30")
    press(page, "Save schedule")

    page.get_by_role("textbox", name="Reason").fill("Migration")
    press(page, "Pause schedule")
    expect(page.get_by_text("paused.")).to_be_visible()
    press(page, "Resume schedule")
    expect(page.get_by_text("resumed.")).to_be_visible()
    press(page, "Back up now")

    schedule.refresh_from_db()
    assert (schedule.tenant, schedule.retention_keep_days) == (fabrikam, 30)
    assert page.url.endswith(OperationRun.objects.get().get_absolute_url())


def test_filtered_policies_are_selected_and_added_to_a_set(page: Page, fabrikam: Tenant) -> None:
    baseline = PolicyFactory(tenant=fabrikam, name="Windows baseline", kind="settings_catalog")
    PolicyFactory(tenant=fabrikam, name="Require MFA")
    page.goto("/w/contoso/inventory/policies/")
    page.get_by_label("Name or Graph ID").fill("windows")
    press(page, "Apply filter")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.get_by_label("Select Windows baseline").check()

    press(page, "Add to backup set")
    save_screenshot(page, "policies-back-up-phone")
    page.get_by_label("Name of the backup set").fill("")
    press(page, "Add to backup set")
    expect(page.get_by_text("Enter a name of at most")).to_be_visible()
    page.get_by_label("Name of the backup set").fill("Before the migration")
    press(page, "Add to backup set")

    run = OperationRun.objects.get()
    assert page.url.endswith(run.get_absolute_url())
    assert run.context["selection"]["ids"] == [baseline.pk]


def test_all_policies_that_match_a_filter_are_exported(page: Page, fabrikam: Tenant) -> None:
    for number in range(60):
        PolicyFactory(tenant=fabrikam, name=f"Policy {number}")
    PolicyFactory(tenant=fabrikam, name="Baseline", kind="compliance")
    page.goto("/w/contoso/inventory/policies/?kind=conditional_access")

    page.get_by_label("policies of this list").check()
    press(page, "Export policies")

    assert OperationRun.objects.get().context["selection"]["count"] == 60


def test_a_backup_set_of_a_selection_is_deleted(page: Page, fabrikam: Tenant) -> None:
    backup_set = BackupSetFactory(
        schedule=None,
        tenant=fabrikam,
        workspace=fabrikam.workspace,
        purpose=SetPurpose.SELECTION,
        name="Before restore 7",
        kinds=["conditional_access"],
    )
    BackupItemFactory(backup_set=backup_set)
    finish(backup_set, item_count=1)
    page.goto(backup_set.get_absolute_url())

    page.get_by_text("Delete backup set").first.click()
    save_screenshot(page, "set-delete-phone")
    press(page, "Delete backup set")

    expect(page.get_by_text("deleted.")).to_be_visible()
    assert not BackupSet.objects.exists()
