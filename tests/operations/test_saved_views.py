"""Saved views: own and shared lists of runs with a name, and the guards of their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from operations import saved_views
from operations.models import SavedView
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.sessions import open_session

LIST = "/w/contoso/runs/"
VIEWS = "/w/contoso/runs/views/"
PARAMETERS = {"outcome": "failed", "columns": "state,duration", "density": "compact"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


@pytest.fixture
def reader_page(reader: User) -> Client:
    client = Client()
    open_session(client, reader)
    return client


def create_view(workspace: Workspace, owner: User | None = None, **columns: Any) -> SavedView:
    columns = {"name": "Failed", "parameters": PARAMETERS, "created_by_name": "olga"} | columns
    return SavedView.objects.create(workspace=workspace, owner=owner, **columns)


# --- open -------------------------------------------------------------------------------------


def test_a_view_opens_the_list_with_its_parameters(
    page: Client, tenant: Tenant, operator: User
) -> None:
    view = create_view(tenant.workspace, operator)
    failed = OperationRunFactory(tenant=tenant, failed=True)
    fine = OperationRunFactory(tenant=tenant, succeeded=True)

    response = page.get(view.get_absolute_url())
    html = page.get(response["Location"]).content.decode()

    assert response.status_code == 302
    assert "outcome=failed" in response["Location"]
    assert f'id="run-{failed.pk}"' in html
    assert f'id="run-{fine.pk}"' not in html
    assert "is-compact" in html
    assert ">Duration</a></th>" in html
    assert ">Cause</th>" not in html
    assert '<option value="failed" selected>' in html
    assert f'href="{LIST}?saved={view.pk}" aria-current="true"' in html
    assert f'<input type="hidden" name="saved" value="{view.pk}" />' in html


@pytest.mark.parametrize("kind", ["foreign", "of another member", "missing", "not a number"])
def test_an_unknown_view_is_the_404_of_a_missing_one(
    page: Client, tenant: Tenant, manager: User, kind: str
) -> None:
    view_id = {
        "foreign": create_view(TenantFactory().workspace).pk,
        "of another member": create_view(tenant.workspace, manager).pk,
        "missing": 999999999,
        "not a number": "x",
    }[kind]
    missing = page.get(f"{LIST}?saved=888888888")

    for address in (f"{LIST}?saved={view_id}", f"{LIST}?outcome=failed&saved={view_id}"):
        response = page.get(address)
        assert (response.status_code, missing.status_code) == (404, 404)
        assert response.content == missing.content


def test_a_shared_view_is_in_the_menu_of_every_member(
    reader_page: Client, tenant: Tenant, operator: User
) -> None:
    own, shared = create_view(tenant.workspace, operator), create_view(tenant.workspace, name="All")

    html = reader_page.get(LIST).content.decode()

    assert f'href="{LIST}?saved={shared.pk}"' in html
    assert f'href="{LIST}?saved={own.pk}"' not in html
    assert "Manage views" in html


def test_a_view_that_is_no_longer_valid_is_refused_with_its_errors(
    page: Client, tenant: Tenant
) -> None:
    view = create_view(tenant.workspace, parameters={"columns": "removed", "type": "removed"})

    response = page.get(view.get_absolute_url(), follow=True)

    assert response.status_code == 400
    assert "“removed” is not a column." in response.content.decode()


# --- save -------------------------------------------------------------------------------------


def test_a_member_saves_the_list_as_it_is(page: Client, tenant: Tenant, operator: User) -> None:
    address = f"{VIEWS}new/?outcome=failed&tenant={tenant.pk}&sort=-duration&older=x&nonsense=1"
    html = page.get(address).content.decode()
    assert "Fabrikam" in html
    assert "Longest first" in html

    response = page.post(address, {"name": "Slow failures"})

    view = SavedView.objects.get()
    assert (view.owner, view.workspace, view.name) == (operator, tenant.workspace, "Slow failures")
    assert view.parameters == {
        "outcome": "failed",
        "tenant": str(tenant.pk),
        "sort": "-duration",
        "columns": "state,cause,progress,initiator,requested,duration",
        "density": "comfortable",
    }
    assert response["Location"] == view.get_absolute_url()


def test_operators_share_views(page: Client, workspace: Workspace) -> None:
    page.post(f"{VIEWS}new/?view=attention", {"name": "Triage", "is_shared": "on"})

    view = SavedView.objects.get()
    assert view.is_shared
    assert view.created_by_name == "olga"


def test_readers_save_views_but_do_not_share_them(
    reader_page: Client, workspace: Workspace, reader: User
) -> None:
    assert "is_shared" not in reader_page.get(f"{VIEWS}new/").content.decode()

    refused = reader_page.post(f"{VIEWS}new/", {"name": "Triage", "is_shared": "on"})
    reader_page.post(f"{VIEWS}new/", {"name": "Triage"})

    assert refused.status_code == 403
    assert SavedView.objects.get().owner == reader


@pytest.mark.parametrize("action", ["edit", "delete"])
def test_readers_do_not_change_shared_views(
    reader_page: Client, workspace: Workspace, action: str
) -> None:
    view = create_view(workspace)

    response = reader_page.post(f"{VIEWS}{view.pk}/{action}/", {"name": "Mine"})

    assert response.status_code == 403
    assert SavedView.objects.get().name == "Failed"
    assert f"/{view.pk}/edit/" not in reader_page.get(VIEWS).content.decode()


@pytest.mark.parametrize("action", ["edit", "delete"])
def test_a_view_of_another_member_does_not_exist(
    page: Client, workspace: Workspace, manager: User, action: str
) -> None:
    view = create_view(workspace, manager)

    response = page.post(f"{VIEWS}{view.pk}/{action}/", {"name": "Taken"})
    missing = page.post(f"{VIEWS}999999999/{action}/", {"name": "Taken"})

    assert response.status_code == 404
    assert response.content == missing.content
    assert SavedView.objects.get().name == "Failed"


def test_a_view_is_renamed_shared_and_kept_as_it_is(
    page: Client, workspace: Workspace, operator: User
) -> None:
    view = create_view(workspace, operator)

    page.post(f"{VIEWS}{view.pk}/edit/", {"name": "Failures", "is_shared": "on"})

    view.refresh_from_db()
    assert (view.name, view.owner, view.parameters) == ("Failures", None, PARAMETERS)


def test_a_view_is_updated_with_the_list_of_the_address(
    page: Client, workspace: Workspace, operator: User
) -> None:
    view = create_view(workspace, operator)
    address = f"{LIST}?view=active&columns=state&saved={view.pk}"
    update = f"{VIEWS}{view.pk}/edit/?view=active&columns=state"
    assert update.replace("&", "&amp;") in page.get(address).content.decode()

    page.post(update, {"name": "Failed"})

    view.refresh_from_db()
    assert view.parameters == {"view": "active", "columns": "state", "density": "comfortable"}


def test_a_deleted_view_is_gone(page: Client, workspace: Workspace, operator: User) -> None:
    view = create_view(workspace, operator)

    response = page.post(f"{VIEWS}{view.pk}/delete/", follow=True)

    assert "deleted" in response.content.decode()
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 81, "a\u202eb", "a\x00b", "FAILED"])
def test_a_name_that_is_taken_or_not_valid_is_refused(
    page: Client, workspace: Workspace, operator: User, name: str
) -> None:
    create_view(workspace, operator)

    response = page.post(f"{VIEWS}new/", {"name": name})

    assert response.status_code == 400
    assert SavedView.objects.count() == 1


def test_a_name_that_another_request_takes_meanwhile_is_refused(
    page: Client, workspace: Workspace, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_view(workspace, operator)
    monkeypatch.setattr(SavedView, "validate_constraints", lambda *_, **__: None)

    response = page.post(f"{VIEWS}new/", {"name": "failed"})

    assert response.status_code == 400
    assert "There is already a view with that name." in response.content.decode()


@pytest.mark.parametrize("query", ["outcome=nonsense", "columns=nonsense", "sort=id", "since=x"])
def test_a_list_that_is_not_valid_is_not_saved(
    page: Client, workspace: Workspace, query: str
) -> None:
    response = page.post(f"{VIEWS}new/?{query}", {"name": "Broken"})

    assert response.status_code == 400
    assert not SavedView.objects.exists()


def test_the_number_of_views_is_limited(
    page: Client, workspace: Workspace, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_views, "MAX_VIEWS", 1)
    create_view(workspace, operator)

    assert page.post(f"{VIEWS}new/", {"name": "Second"}).status_code == 400
    assert page.post(f"{VIEWS}new/", {"name": "Second", "is_shared": "on"}).status_code == 302


def test_no_page_has_more_than_fifteen_statements(
    page: Client, workspace: Workspace, operator: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        create_view(workspace, operator, name=f"View {number}")
    view = SavedView.objects.all()[0]

    for address in (VIEWS, f"{VIEWS}new/?view=active", f"{VIEWS}{view.pk}/edit/", LIST):
        with django_assert_max_num_queries(15):
            assert page.get(address).status_code == 200


# --- guards -----------------------------------------------------------------------------------

Execute = Callable[..., None]


@pytest.fixture
def insert(workspace: Workspace) -> Execute:
    def execute(**columns: Any) -> None:
        row = {"workspace_id": workspace.pk, "owner_id": None, "name": "Failed"} | columns
        names = ", ".join(row)
        places = ", ".join(f"%({name})s" for name in row)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO saved_views ({names}, created_by_name) VALUES ({places}, '')", row
            )

    return execute


def test_a_view_belongs_to_a_member_or_to_the_workspace(
    insert: Execute, operator: User, stranger: User
) -> None:
    insert(owner_id=operator.pk)
    insert()
    with pytest.raises(IntegrityError, match="saved_views_owner_is_a_member"), transaction.atomic():
        insert(owner_id=stranger.pk)
    assert SavedView.objects.count() == 2


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"name": "FAILED"}, "saved_views_shared_name"),
        ({"name": "a\u202eb"}, "saved_views_name_is_visible"),
        ({"parameters": "[]"}, "saved_views_parameters_are_texts"),
        ({"parameters": '{"q": 1}'}, "saved_views_parameters_are_texts"),
        ({"parameters": '{"q": {"a": "b"}}'}, "saved_views_parameters_are_texts"),
        ({"parameters": '{"q": "' + "x" * 4000 + '"}'}, "saved_views_parameters_are_short"),
    ],
)
def test_the_database_refuses_views_that_no_page_saves(
    insert: Execute, columns: dict[str, str], constraint: str
) -> None:
    insert()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        insert(**({"name": "Other"} | columns))


def test_a_member_has_one_view_of_a_name(insert: Execute, operator: User, manager: User) -> None:
    insert(owner_id=operator.pk)
    insert(owner_id=manager.pk)
    with pytest.raises(IntegrityError, match="saved_views_own_name"), transaction.atomic():
        insert(owner_id=operator.pk, name="failed")


def test_the_views_of_a_member_who_leaves_are_deleted(
    insert: Execute, workspace: Workspace, operator: User
) -> None:
    insert(owner_id=operator.pk)
    insert(name="Shared")

    operator.memberships.filter(workspace=workspace).delete()

    assert [view.name for view in SavedView.objects.all()] == ["Shared"]


def test_a_user_with_views_can_be_deleted(insert: Execute, operator: User) -> None:
    insert(owner_id=operator.pk)

    operator.delete()

    assert not SavedView.objects.exists()


def test_the_address_of_a_view_is_short(workspace: Workspace) -> None:
    view = create_view(workspace)

    assert view.get_absolute_url() == f"{reverse('run_list', args=['contoso'])}?saved={view.pk}"
