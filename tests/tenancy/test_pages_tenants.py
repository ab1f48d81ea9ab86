"""The pages of tenants: list, detail, add, edit and suspend."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from tenancy.models import Tenant, TenantStatus, User, Workspace
from tests.support.factories import TenantFactory, WorkspaceFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

LIST = "/w/contoso/tenants/"
GUID = "1f0b2c9e-5a8e-4d0a-9d2f-6a3c5b7e9f10"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    open_session(client, owner)
    return client


def text_of(page: Client, path: str) -> str:
    answer = page.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_list_shows_instructions(page: Client, workspace: Workspace) -> None:
    assert "Add tenant" in text_of(page, LIST)


def test_tenants_are_listed_with_the_facts_of_the_apps(page: Client, tenant: Tenant) -> None:
    text = text_of(page, LIST)

    assert tenant.get_absolute_url() in text
    assert "Never synced" in text
    # A narrow page has no heads of columns.
    assert '<span class="narrow-only"><span class="sub">Policies</span></span>' in text


def test_the_number_of_queries_does_not_depend_on_the_number_of_tenants(
    page: Client, workspace: Workspace, django_assert_max_num_queries: object
) -> None:
    for _ in range(30):
        TenantFactory(workspace=workspace)

    with django_assert_max_num_queries(15):  # type: ignore[operator]
        page.get(LIST)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?q=fabri", 1),
        (f"?q={GUID.upper()}", 1),
        ("?q=unknown", 0),
        ("?status=suspended", 1),
        ("?status=active&q=+fabri+", 1),
    ],
)
def test_the_list_is_searched_and_filtered(
    page: Client, workspace: Workspace, query: str, count: int
) -> None:
    TenantFactory(workspace=workspace, name="Fabrikam", external_id=GUID)
    TenantFactory(workspace=workspace, name="Northwind", status=TenantStatus.SUSPENDED)

    assert text_of(page, LIST + query).count("data-row-link") == count


def test_a_tenant_page_shows_its_panels_and_start_buttons(page: Client, tenant: Tenant) -> None:
    text = text_of(page, tenant.get_absolute_url())

    assert "Sync inventory" in text
    assert "Inventory" in text
    assert str(tenant.external_id) in text


def test_an_owner_adds_a_tenant(page: Client, workspace: Workspace) -> None:
    answer = page.post(f"{LIST}new/", {"name": "Adatum", "external_id": GUID.upper()})

    tenant = Tenant.objects.get()
    assert answer["Location"] == tenant.get_absolute_url()
    assert (tenant.name, str(tenant.external_id), tenant.workspace) == ("Adatum", GUID, workspace)


@pytest.mark.parametrize(
    ("name", "external_id"),
    [
        ("", GUID),
        ("Adatum", ""),
        ("Adatum", f"urn:uuid:{GUID}"),
        ("Adatum", f"{{{GUID}}}"),
        ("Adatum", GUID.replace("-", "")),
        ("Adatum", "9" * 5000),
        ("x" * 201, GUID),
        ("A\x00B", GUID),
        ("Adatum", "\x00"),
    ],
)
def test_an_invalid_tenant_shows_an_error_at_its_field(
    page: Client, workspace: Workspace, name: str, external_id: str
) -> None:
    answer = page.post(f"{LIST}new/", {"name": name, "external_id": external_id})

    assert answer.status_code == 400
    assert b"field-error" in answer.content
    assert not Tenant.objects.exists()


def test_a_workspace_cannot_have_a_tenant_twice(page: Client, workspace: Workspace) -> None:
    TenantFactory(workspace=workspace, external_id=GUID)

    answer = page.post(f"{LIST}new/", {"name": "Again", "external_id": GUID})

    assert answer.status_code == 400
    assert b"already has a tenant with that ID" in answer.content


def test_another_workspace_can_have_the_same_tenant(page: Client, workspace: Workspace) -> None:
    TenantFactory(external_id=GUID)

    assert page.post(f"{LIST}new/", {"name": "Mine", "external_id": GUID}).status_code == 302


def test_a_tenant_is_renamed(page: Client, tenant: Tenant) -> None:
    form = {"name": "Fabrikam Inc.", "external_id": str(tenant.external_id)}

    page.post(f"{tenant.get_absolute_url()}edit/", form)

    tenant.refresh_from_db()
    assert tenant.name == "Fabrikam Inc."


def test_a_tenant_is_suspended_and_set_to_active_again(page: Client, tenant: Tenant) -> None:
    page.post(f"{tenant.get_absolute_url()}suspend/", {"reason": "The contract has ended"})
    tenant.refresh_from_db()
    assert not tenant.is_active
    text = text_of(page, tenant.get_absolute_url())
    assert "This tenant is suspended" in text
    assert "By <bdi>owen</bdi>" in text
    assert "The contract has ended" in text

    page.post(f"{tenant.get_absolute_url()}resume/")
    tenant.refresh_from_db()
    assert tenant.is_active


def test_the_entra_tenant_id_cannot_be_changed(page: Client, tenant: Tenant) -> None:
    before = tenant.external_id

    page.post(f"{tenant.get_absolute_url()}edit/", {"name": "Same", "external_id": GUID})

    tenant.refresh_from_db()
    assert (tenant.name, tenant.external_id) == ("Same", before)
    for assignment, value in (("external_id", GUID), ("workspace_id", WorkspaceFactory().pk)):
        with pytest.raises(DatabaseError, match="cannot be changed"), transaction.atomic():
            Tenant.objects.filter(pk=tenant.pk).update(**{assignment: value})
