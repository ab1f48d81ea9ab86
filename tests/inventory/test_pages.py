"""The lists and detail pages of the inventory, and the buttons that start a sync."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from inventory import selection
from inventory.actions import PolicyAction
from inventory.selection import SelectionError, selected_policies
from operations.models import OperationRun
from providers.models import ProviderConnection
from tenancy.models import Tenant, TenantStatus, User, Workspace
from tenancy.roles import Capability
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.inventory import (
    DirectoryGroupFactory,
    PolicyFactory,
    RoleDefinitionFactory,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def page_text(page: Client, path: str) -> str:
    response = page.get(path)
    assert response.status_code == 200
    return response.content.decode()


POLICIES = "/w/contoso/inventory/policies/"


def test_an_empty_inventory_shows_the_next_step(page: Client, workspace: Workspace) -> None:
    assert "No tenants yet" in page_text(page, POLICIES)
    TenantFactory(workspace=workspace)

    assert "The inventory is empty" in page_text(page, POLICIES)
    assert "Sync all tenants" in page_text(page, POLICIES)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"Alpha", "Beta"}),
        ("?q=alp", {"Alpha"}),
        ("?q=id-b", {"Beta"}),
        ("?kind=compliance", {"Beta"}),
        ("?assigned=yes", {"Beta"}),
        ("?state=deleted", {"Gamma"}),
        ("?state=all", {"Alpha", "Beta", "Gamma"}),
        ("?q=+alpha+", {"Alpha"}),
        ("?tenant=&kind=&q=", {"Alpha", "Beta"}),
        ("?page=99999999999999999999", {"Alpha", "Beta"}),
    ],
)
def test_policies_are_filtered(page: Client, tenant: Tenant, query: str, names: set[str]) -> None:
    PolicyFactory(tenant=tenant, name="Alpha")
    PolicyFactory(tenant=tenant, name="Beta", kind="compliance", graph_id="id-b", is_assigned=True)
    PolicyFactory(tenant=tenant, name="Gamma", missing=True)

    text = page_text(page, POLICIES + query)

    assert {name for name in ("Alpha", "Beta", "Gamma") if f"<bdi>{name}</bdi>" in text} == names


@pytest.mark.parametrize("listing", ["policies", "groups", "roles"])
@pytest.mark.parametrize("query", ["tenant=nonsense", "tenant=%s", "state=lost", "q=%%00a"])
def test_an_invalid_filter_is_rejected_and_lists_nothing(
    page: Client, tenant: Tenant, listing: str, query: str
) -> None:
    for factory in (PolicyFactory, DirectoryGroupFactory, RoleDefinitionFactory):
        factory(tenant=tenant, name="Alpha")
    query = query % TenantFactory().pk if "%s" in query else query.replace("%%", "%")

    response = page.get(f"/w/contoso/inventory/{listing}/?{query}")

    text = response.content.decode()
    assert response.status_code == 400
    assert "The filter is not valid" in text
    assert "<bdi>Alpha</bdi>" not in text


def test_a_tenant_beyond_the_menu_keeps_its_filter(page: Client, workspace: Workspace) -> None:
    Tenant.objects.bulk_create(
        TenantFactory.build(workspace=workspace, name=f"Adatum {number}") for number in range(250)
    )
    last = TenantFactory(workspace=workspace, name="Wingtip Toys")
    PolicyFactory(tenant=last)

    text = page_text(page, f"{POLICIES}?tenant={last.pk}")

    assert f'<option value="{last.pk}" selected>Wingtip Toys</option>' in text
    assert text.count("Adatum") == 200


def test_the_filter_by_tenant_names_its_last_sync(page: Client, tenant: Tenant) -> None:
    PolicyFactory(tenant=tenant, name="Alpha")
    PolicyFactory(tenant=TenantFactory(workspace=tenant.workspace), name="Beta")
    run = OperationRunFactory(tenant=tenant, type="inventory.sync", succeeded=True)

    text = page_text(page, f"{POLICIES}?tenant={tenant.pk}")

    assert "Alpha" in text
    assert "Beta" not in text
    assert run.get_absolute_url() in text


def test_markup_in_a_name_is_escaped(page: Client, tenant: Tenant) -> None:
    policy = PolicyFactory(tenant=tenant, name=HOSTILE, description=HOSTILE)

    for path in (POLICIES, policy.get_absolute_url()):
        assert HOSTILE not in page_text(page, path)


def test_groups_and_roles_have_their_lists_and_pages(page: Client, tenant: Tenant) -> None:
    group = DirectoryGroupFactory(tenant=tenant, name="Sales", membership_rule="user.x -eq 1")
    role = RoleDefinitionFactory(tenant=tenant, name="Helpdesk")

    assert "Sales" in page_text(
        page, "/w/contoso/inventory/groups/?type=security&membership=assigned"
    )
    assert "user.x -eq 1" in page_text(page, group.get_absolute_url())
    assert "Helpdesk" in page_text(page, "/w/contoso/inventory/roles/?source=custom")
    assert "microsoft.directory/users/standard/read" in page_text(page, role.get_absolute_url())


# --- starting -------------------------------------------------------------------------------------


def connect(tenant: Tenant) -> None:
    ProviderConnection.objects.create(
        workspace=tenant.workspace,
        tenant=tenant,
        name="App",
        client_id="1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10",
        is_default=True,
    )


@pytest.mark.parametrize(
    ("route", "run_type"),
    [
        ("inventory_sync", "inventory.sync"),
        ("directory_groups_sync", "directory_groups.sync"),
        ("role_definitions_sync", "directory_role_definitions.sync"),
    ],
)
def test_a_button_starts_its_sync_once(
    page: Client, tenant: Tenant, route: str, run_type: str
) -> None:
    connect(tenant)
    url = reverse(route, args=["contoso", tenant.pk])

    responses = [page.post(url) for _ in range(3)]

    run = OperationRun.objects.get()
    assert run.type == run_type
    assert {response["Location"] for response in responses} == {run.get_absolute_url()}


def test_a_tenant_that_cannot_be_synced_shows_an_error_and_starts_nothing(
    page: Client, tenant: Tenant
) -> None:
    url = reverse("inventory_sync", args=["contoso", tenant.pk])

    without = page.post(url, follow=True).content.decode()
    Tenant.objects.update(status=TenantStatus.SUSPENDED)
    suspended = page.post(url, follow=True).content.decode()

    assert "has no default connection" in without
    assert "is suspended" in suspended
    assert not OperationRun.objects.exists()


def test_all_tenants_are_synced_from_one_button(page: Client, tenant: Tenant) -> None:
    response = page.post("/w/contoso/inventory/sync/")

    run = OperationRun.objects.get()
    assert run.type == "workspace.inventory_sync"
    assert response["Location"] == run.get_absolute_url()


# --- selections -----------------------------------------------------------------------------------


def select(rf: object, user: User, workspace: Workspace, **form: object) -> selection.Selection:
    request = rf.post("/", form)  # type: ignore[attr-defined]
    request.user = user
    return selected_policies(request, workspace)


def test_selected_policies_are_grouped_by_tenant(
    rf: object, operator: User, tenant: Tenant, workspace: Workspace
) -> None:
    one, two = PolicyFactory(tenant=tenant), PolicyFactory(tenant=tenant)
    other = PolicyFactory(tenant=TenantFactory(workspace=workspace))
    foreign, deleted = PolicyFactory(), PolicyFactory(tenant=tenant, missing=True)

    selected = select(
        rf, operator, workspace, policy=[p.pk for p in (one, two, other, foreign, deleted)]
    )

    assert {t.pk: {p.pk for p in ps} for t, ps in selected.by_tenant.items()} == {
        tenant.pk: {one.pk, two.pk},
        other.tenant_id: {other.pk},
    }
    assert (selected.count, selected.missing) == (3, 2)
    assert sorted(selected.context_of(tenant)["ids"]) == [one.pk, two.pk]


def test_a_selection_by_filter_ignores_the_checkboxes(
    rf: object, operator: User, tenant: Tenant, workspace: Workspace
) -> None:
    compliance = PolicyFactory(tenant=tenant, kind="compliance")
    other = PolicyFactory(tenant=tenant)

    selected = select(rf, operator, workspace, all="1", kind="compliance", policy=[other.pk])

    assert selected.policies == [compliance]
    assert selected.context_of(tenant)["query"] == "kind=compliance"


def test_equal_selections_have_equal_hashes(
    rf: object, operator: User, tenant: Tenant, workspace: Workspace
) -> None:
    one, two = PolicyFactory(tenant=tenant), PolicyFactory(tenant=tenant)

    forward = select(rf, operator, workspace, policy=[one.pk, two.pk])
    backward = select(rf, operator, workspace, policy=[two.pk, one.pk, one.pk])

    assert forward.hash_of(tenant) == backward.hash_of(tenant)
    assert forward.hash_of(tenant) != select(rf, operator, workspace, policy=[one.pk]).hash_of(
        tenant
    )


@pytest.mark.parametrize("form", [{}, {"policy": ["abc", "", "9" * 30, "-1"]}, {"all": "1"}])
def test_an_empty_selection_is_rejected_with_a_message(
    rf: object, operator: User, workspace: Workspace, form: dict[str, object]
) -> None:
    with pytest.raises(SelectionError, match="No policies are selected"):
        select(rf, operator, workspace, **form)


def test_a_selection_has_a_limit(
    rf: object,
    operator: User,
    tenant: Tenant,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "MAX_SELECTED", 2)
    for _ in range(3):
        PolicyFactory(tenant=tenant)

    with pytest.raises(SelectionError, match="Narrow the filter"):
        select(rf, operator, workspace, all="1")


def test_an_action_is_shown_only_to_users_with_its_capability(
    page: Client, tenant: Tenant, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = PolicyAction("Do it", "workspace_inventory_sync", Capability.EXPORT_POLICIES)
    monkeypatch.setattr("inventory.actions._ACTIONS", [action])
    PolicyFactory(tenant=tenant)

    assert "Do it" in page_text(page, POLICIES)
    open_session(page, reader)
    assert "Do it" not in page_text(page, POLICIES)
