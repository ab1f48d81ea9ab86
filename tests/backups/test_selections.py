"""Selected policies: added to a backup set exactly once, and exported as an archive."""

from __future__ import annotations

import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from backups import exporting, services
from backups.models import BackupItem, BackupSet, PolicyExport, SetStatus
from backups.retention import delete_set
from dev.graph_sandbox.control import SandboxControl
from inventory.models import Policy
from inventory.selection import Selection
from inventory.services import start_sync
from operations.links import OperationRunLinks
from operations.models import OperationRun
from operations.states import RunOutcome
from operations.testing import run_now
from operations.types import OperationRunType
from providers.graph.policy_kind import Capture, PolicyKind
from providers.models import ProviderConnection
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
    finish,
)
from tests.support.factories.inventory import PolicyFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NAME = "Before the migration"
POLICIES = "/w/contoso/inventory/policies/"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def policies(
    tenant: Tenant, operator: User, add_to_graph: Callable[..., ProviderConnection]
) -> list[Policy]:
    """The policies of a tenant that is in the Graph sandbox and has just been synced."""
    add_to_graph(tenant)
    run_now(start_sync(OperationRunType.INVENTORY_SYNC, tenant, by=operator).run)
    kinds = ("settings_catalog", "compliance", "conditional_access")
    return list(Policy.objects.with_scope().filter(kind__in=kinds).order_by("kind", "name"))


def selection(policies: list[Policy]) -> Selection:
    return Selection({policies[0].tenant: policies})


def add(policies: list[Policy], by: User, name: str = NAME) -> OperationRun:
    (result,) = services.add_policies(selection(policies), name, by=by)
    return run_now(result.run)


def export(policies: list[Policy], by: User) -> OperationRun:
    (result,) = services.export_policies(selection(policies), by=by)
    return run_now(result.run)


# --- backup sets ----------------------------------------------------------------------------------


def test_selected_policies_are_read_into_a_named_set(
    policies: list[Policy], operator: User
) -> None:
    run = add(policies, operator)

    backup_set = BackupSet.objects.get()
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert (backup_set.purpose, backup_set.name, backup_set.status) == (
        "selection",
        NAME,
        SetStatus.COMPLETE,
    )
    assert backup_set.item_count == len(policies) == run.counts.succeeded
    assert backup_set.items.filter(complete=True, version__isnull=False).count() == len(policies)
    assert backup_set.get_absolute_url() in {
        link.url for link in OperationRunLinks.related(run, operator)
    }


def test_a_repeated_request_adds_nothing_and_reports_it(
    policies: list[Policy], operator: User
) -> None:
    add(policies, operator)
    before = list(BackupItem.objects.order_by("pk").values())

    again = add(policies, operator)

    assert again.outcome == RunOutcome.SUCCEEDED
    assert again.counts.skipped == len(policies)
    assert set(again.items.values_list("reason_code", flat=True)) == {"already_in_set"}
    assert list(BackupItem.objects.order_by("pk").values()) == before


def test_more_policies_are_added_to_the_same_set(policies: list[Policy], operator: User) -> None:
    first = add(policies[:2], operator)
    second = add(policies[1:], operator)

    backup_set = BackupSet.objects.get()
    assert backup_set.item_count == len(policies)
    assert backup_set.kinds == sorted({policy.kind for policy in policies})
    assert second.counts.skipped == 1
    for run in (first, second):
        urls = {link.url for link in OperationRunLinks.related(run, operator)}
        assert backup_set.get_absolute_url() in urls
    assert second.context["backup_set_id"] == backup_set.pk


def test_a_forbidden_policy_does_not_stop_the_others_and_can_be_read_later(
    policies: list[Policy], operator: User, graph: SandboxControl
) -> None:
    external_id = policies[0].tenant.external_id
    graph.fault(external_id, "forbid", kind="compliance", permission="X.Read.All")
    partial = add(policies, operator)
    graph.clear()

    whole = add(policies, operator)

    assert partial.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert whole.outcome == RunOutcome.SUCCEEDED
    backup_set = BackupSet.objects.get()
    assert (backup_set.status, backup_set.item_count) == (SetStatus.COMPLETE, len(policies))


def test_a_policy_that_was_deleted_in_the_tenant_is_skipped(
    policies: list[Policy], operator: User, graph: SandboxControl
) -> None:
    policy = policies[0]
    graph.delete_object(policy.tenant.external_id, policy.kind, policy.graph_id)

    run = add(policies, operator)

    assert run.outcome == RunOutcome.SUCCEEDED
    assert run.items.get(outcome="skipped").reason_code == "removed_while_running"


@pytest.mark.parametrize("response", [{}, {"id": "other"}, {"id": "x\x00"}, {"id": None}])
def test_a_response_about_another_object_is_stored_as_incomplete(
    tenant: Tenant,
    operator: User,
    add_to_graph: Callable[..., ProviderConnection],
    monkeypatch: pytest.MonkeyPatch,
    response: dict[str, Any],
) -> None:
    add_to_graph(tenant)
    selected: list[Policy] = [
        PolicyFactory(tenant=tenant, kind="compliance", graph_id=name) for name in "ab"
    ]

    def capture_one(_kind: PolicyKind, _client: object, graph_id: str, _type: str) -> Capture:
        if graph_id == "a":
            return Capture({"displayName": "x"} | response, ["the requested object"])
        return Capture({"displayName": "x", "id": graph_id})

    monkeypatch.setattr(PolicyKind, "capture_one", capture_one)
    run = add(selected, operator)

    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert dict(BackupItem.objects.values_list("graph_id", "complete")) == {"a": False, "b": True}


def test_a_selection_is_not_a_backup_of_the_tenant(policies: list[Policy], operator: User) -> None:
    add(policies, operator)

    assert not BackupSet.objects.complete().exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\x00b", "a\nb", "a\u202eb"])
def test_an_invalid_name_is_rejected(page: Client, tenant: Tenant, name: str) -> None:
    policy = PolicyFactory(tenant=tenant)

    response = page.post(f"{POLICIES}back-up/", {"policy": [policy.pk], "set_name": name})

    assert response.status_code == 400
    assert b"field-error" in response.content
    assert not OperationRun.objects.exists()


def test_a_form_asks_for_the_name_and_starts_one_run(page: Client, tenant: Tenant) -> None:
    policy = PolicyFactory(tenant=tenant, name="MFA for all")
    name_form = page.post(f"{POLICIES}back-up/", {"policy": [policy.pk]}).content.decode()
    form = {"policy": [policy.pk], "set_name": NAME, "submission": str(uuid.uuid4())}

    responses = [page.post(f"{POLICIES}back-up/", form) for _ in range(5)]

    run = OperationRun.objects.get()
    assert "MFA for all" in name_form
    assert {response["Location"] for response in responses} == {run.get_absolute_url()}
    assert run.context["selection"]["ids"] == [policy.pk]
    assert run.context["idempotency"]["set_name"] == NAME


def test_policies_of_several_tenants_start_one_run_per_tenant(
    page: Client, workspace: Workspace
) -> None:
    ids = [PolicyFactory(tenant=TenantFactory(workspace=workspace)).pk for _ in range(3)]

    response = page.post(f"{POLICIES}export/", {"policy": ids})

    assert response["Location"] == "/w/contoso/runs/"
    assert OperationRun.objects.count() == 3


def test_an_empty_selection_shows_an_error(page: Client, workspace: Workspace) -> None:
    response = page.post(f"{POLICIES}export/?q=MFA&page=2", {}, follow=True)

    assert b"No policies are selected" in response.content
    assert response.redirect_chain == [(f"{POLICIES}?q=MFA&page=2", 302)]


def test_the_buttons_of_the_list_keep_its_address(page: Client, workspace: Workspace) -> None:
    """After an error, the list has the same filter and the same page as before."""
    PolicyFactory(tenant=TenantFactory(workspace=workspace), name="MFA for all")

    text = page.get(f"{POLICIES}?q=MFA&state=all").content.decode()

    assert f'formaction="{POLICIES}export/?q=MFA&amp;state=all"' in text


# --- the database ---------------------------------------------------------------------------------


def rejected(statement: str, *values: Any) -> str:
    with pytest.raises(DatabaseError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
    return str(error.value)


def test_a_complete_item_is_never_changed(policies: list[Policy], operator: User) -> None:
    add(policies, operator)
    item = BackupItem.objects.first()
    assert item

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE backup_sets SET status = 'building', ended_at = NULL")
    message = rejected("UPDATE backup_items SET name = 'x' WHERE id = %s", item.pk)

    assert "a complete item cannot be changed" in message


def test_a_finished_backup_cannot_be_reopened(tenant: Tenant) -> None:
    backup = finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))

    message = rejected(
        "UPDATE backup_sets SET status = 'building', ended_at = NULL WHERE id = %s", backup.pk
    )

    assert "a finished set cannot be changed" in message


def test_a_backup_has_no_name_and_a_selection_has_one(tenant: Tenant) -> None:
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))

    assert "sets_selection_has_a_name" in rejected(
        "UPDATE backup_sets SET name = 'x' WHERE id = %s", backup.pk
    )
    assert "sets_selection_has_a_name" in rejected(
        "UPDATE backup_sets SET purpose = 'selection', schedule_id = NULL WHERE id = %s", backup.pk
    )


def test_a_tenant_has_one_selection_per_name(tenant: Tenant) -> None:
    columns = "workspace_id, tenant_id, purpose, name, kinds, status"
    insert = (
        f"INSERT INTO backup_sets ({columns}) VALUES (%s, %s, 'selection', 'x', '{{}}', 'building')"
    )
    values = [tenant.workspace_id, tenant.pk]
    with connection.cursor() as cursor:
        cursor.execute(insert, values)

    assert "sets_selection_once_per_name" in rejected(insert, *values)


def test_a_selection_does_not_replace_the_last_complete_backup(
    tenant: Tenant, policies: list[Policy], operator: User
) -> None:
    backup = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    BackupItemFactory(backup_set=backup)
    finish(backup, item_count=1)
    add(policies, operator)

    assert not delete_set(backup)


# --- exports --------------------------------------------------------------------------------------


def test_an_export_contains_every_policy_and_a_manifest(
    policies: list[Policy], operator: User, page: Client
) -> None:
    run = export(policies, operator)

    policy_export = PolicyExport.objects.get(operation_run=run)
    response: Any = page.get(policy_export.get_absolute_url())
    archive = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    manifest = json.loads(archive.read("manifest.json"))
    assert run.outcome == RunOutcome.SUCCEEDED, run.failures
    assert archive.testzip() is None
    assert len(archive.namelist()) == len(policies) + 1
    assert {entry["graph_id"] for entry in manifest["policies"]} == {p.graph_id for p in policies}
    assert manifest["run"] == run.pk
    for entry in manifest["policies"]:
        assert json.loads(archive.read(entry["path"]))["id"] == entry["graph_id"]
    assert response["Content-Type"] == "application/zip"
    assert "no-store" in response["Cache-Control"]
    assert policy_export.get_absolute_url() in {
        link.url for link in OperationRunLinks.related(run, operator)
    }


def test_an_export_that_is_too_large_fails(
    policies: list[Policy], operator: User, settings: Any
) -> None:
    settings.POLICY_EXPORT_MAX_MB = 0

    run = export(policies, operator)

    assert run.outcome == RunOutcome.FAILED
    assert run.failures[0]["code"] == "export_too_large"
    assert not PolicyExport.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_full_disk_leaves_no_archive_and_no_success(
    policies: list[Policy], operator: User, fill_the_disk: Callable[..., None]
) -> None:
    """An archive is a row and not a file, so it is stored completely or not at all."""
    fill_the_disk("policy_exports", rows=0)

    run = export(policies, operator)

    assert run.outcome != RunOutcome.SUCCEEDED
    assert run.failures
    assert not PolicyExport.objects.exists()


def test_a_policy_that_cannot_be_read_is_missing_and_reported(
    policies: list[Policy], operator: User, graph: SandboxControl
) -> None:
    graph.fault(policies[0].tenant.external_id, "forbid", kind="compliance", permission="X")

    run = export(policies, operator)

    policy_export = PolicyExport.objects.get()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert policy_export.item_count == sum(policy.kind != "compliance" for policy in policies)


def test_an_expired_export_cannot_be_downloaded_and_its_archive_is_deleted(
    page: Client, tenant: Tenant
) -> None:
    expired, current = (
        PolicyExportFactory(tenant=tenant, expired=True),
        PolicyExportFactory(tenant=tenant),
    )

    response = page.get(expired.get_absolute_url())
    removed = exporting.delete_expired_archives()

    remaining = PolicyExport.objects.exclude(archive=None)
    assert response.status_code == 410
    assert removed == 1
    assert list(remaining) == [current]


# --- large selections------------------------------------------------------------------------------


def hidden_fields(html: str) -> list[tuple[str, str]]:
    """The hidden fields of the forms of a page."""
    return re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html)


@pytest.fixture
def many_policies(tenant: Tenant) -> int:
    """Create more policies than a form can have fields; return their number."""
    created = Policy.objects.bulk_create(
        PolicyFactory.build(tenant=tenant, workspace=tenant.workspace) for _ in range(1200)
    )
    return len(created)


def test_more_policies_than_form_fields_can_be_added_to_a_named_set(
    page: Client, tenant: Tenant, many_policies: int
) -> None:
    name_form = page.post(f"{POLICIES}back-up/", {"all": "1"}).content.decode()
    form: dict[str, list[str]] = {"set_name": [NAME]}
    for name, value in hidden_fields(name_form):
        form.setdefault(name, []).append(value)

    response = page.post(f"{POLICIES}back-up/", form)

    run = OperationRun.objects.get()
    assert response["Location"] == run.get_absolute_url()
    assert len(run.context["selection"]["ids"]) == many_policies


def test_a_bulk_action_is_never_wider_than_its_filter(page: Client, tenant: Tenant) -> None:
    policy = PolicyFactory(tenant=tenant)
    foreign = TenantFactory()
    for name, value in (
        ("tenant", foreign.pk),
        ("tenant", "nonsense"),
        ("kind", "nonsense"),
        ("assigned", "perhaps"),
        ("state", "lost"),
        ("q", policy.name + "\x00"),
        ("q", policy.name + "x" * 100),
    ):
        for action in ("export", "back-up"):
            form = {"all": "1", name: str(value), "set_name": NAME}
            response = page.post(f"{POLICIES}{action}/", form, follow=True)

            assert "The filter is not valid. Nothing was changed." in response.content.decode()
    assert not OperationRun.objects.exists()


# --- the archives ---------------------------------------------------------------------------------


def test_the_exports_are_listed(page: Client, tenant: Tenant) -> None:
    current, expired = (
        PolicyExportFactory(tenant=tenant),
        PolicyExportFactory(tenant=tenant, expired=True),
    )

    text = page.get("/w/contoso/exports/").content.decode()

    assert current.get_absolute_url() in text
    assert expired.get_absolute_url() not in text
    assert expired.file_name in text
