"""The admin forms enforce the rules of the pages: one owner stays, used objects are not deleted."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tenancy import change_list, model_admin
from tenancy.admin import TenantAdmin
from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace
from tenancy.roles import Role
from tenancy.services import remove_unused
from tests.support.factories import (
    PASSWORD,
    OperationRunFactory,
    TenantFactory,
    UserFactory,
    WorkspaceFactory,
    create_member,
)
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db


@pytest.fixture
def support(client: Client) -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True)
    open_session(client, user)
    return user


def to(model: str, page: str, *ids: int) -> str:
    return reverse(f"admin:tenancy_{model}_{page}", args=ids)


def text_of(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


def test_support_adds_the_first_owner_of_a_new_workspace(client: Client, support: User) -> None:
    rita = UserFactory(username="rita")

    workspace_form = {"name": "Adatum", "slug": "adatum", "timezone": "UTC"}
    client.post(to("workspace", "add"), workspace_form)
    created = Workspace.objects.get(slug="adatum")
    form = {"user": rita.pk, "workspace": created.pk, "role": "owner"}
    answer = client.post(to("membership", "add"), form)

    assert answer.status_code == 302
    assert Membership.objects.get(workspace=created).role == Role.OWNER


def test_the_slug_of_a_workspace_cannot_be_changed(
    client: Client, support: User, workspace: Workspace
) -> None:
    form = {"name": "Contoso Ltd", "slug": "moved", "timezone": "Europe/Berlin"}

    client.post(to("workspace", "change", workspace.pk), form)

    workspace.refresh_from_db()
    assert (workspace.name, workspace.slug) == ("Contoso Ltd", "contoso")


def test_the_last_owner_cannot_be_removed(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    membership = Membership.objects.get(user=owner)

    changed = client.post(to("membership", "change", membership.pk), {"role": "reader"})
    removed = client.post(to("membership", "delete", membership.pk), {"post": "yes"}, follow=True)
    deleted = client.post(to("user", "delete", owner.pk), {"post": "yes"}, follow=True)

    for answer in (changed, removed, deleted):
        assert "needs at least one owner" in text_of(answer)
    membership.refresh_from_db()
    assert membership.role == Role.OWNER


def test_one_of_two_owners_can_be_removed(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    other = Membership.objects.get(user=create_member(workspace, Role.OWNER))

    client.post(to("membership", "change", other.pk), {"role": "reader"})
    other.refresh_from_db()
    assert other.role == Role.READER

    client.post(to("membership", "delete", other.pk), {"post": "yes"})
    assert not Membership.objects.filter(pk=other.pk).exists()


def test_adding_an_existing_member_shows_an_error(
    client: Client, support: User, workspace: Workspace, reader: User
) -> None:
    form = {"user": reader.pk, "workspace": workspace.pk, "role": "owner"}

    answer = client.post(to("membership", "add"), form)

    assert answer.status_code == 200
    assert "is already a member" in text_of(answer)
    assert Membership.objects.get(user=reader).role == Role.READER


def test_the_runs_of_a_deleted_account_keep_its_name(
    client: Client, support: User, tenant: Tenant
) -> None:
    deleted_user = create_member(tenant.workspace, Role.OPERATOR, username="olga")
    run = OperationRunFactory(
        tenant=tenant, succeeded=True, user=deleted_user, initiator_name="olga"
    )

    client.post(to("user", "delete", deleted_user.pk), {"post": "yes"})

    run.refresh_from_db()
    assert not User.objects.filter(username="olga").exists()
    assert (run.user_id, run.initiator_name) == (None, "olga")


def account_form(user: User, **more: object) -> dict[str, object]:
    return {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "10:00:00",
    } | more


def test_deactivating_the_last_owner_shows_a_warning(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    answer = client.post(to("user", "change", owner.pk), account_form(owner), follow=True)

    owner.refresh_from_db()
    assert not owner.is_active
    assert "Contoso Services has no owner who can sign in" in text_of(answer)


def test_used_tenants_and_workspaces_are_not_deleted(
    client: Client, support: User, tenant: Tenant
) -> None:
    OperationRunFactory(tenant=tenant, succeeded=True)

    client.post(to("tenant", "delete", tenant.pk), {"post": "yes"})
    client.post(to("workspace", "delete", tenant.workspace_id), {"post": "yes"})

    assert Tenant.objects.filter(pk=tenant.pk).exists()
    assert Workspace.objects.filter(pk=tenant.workspace_id).exists()


def test_a_used_tenant_is_described_by_the_kinds_of_its_data(
    client: Client, support: User, tenant: Tenant
) -> None:
    """Its rows can be millions, so the page and the service load none of them."""
    OperationRunFactory(tenant=tenant, succeeded=True)
    address = to("tenant", "delete", tenant.pk)

    with CaptureQueriesContext(connection) as captured:
        shown = text_of(client.get(address))
        client.post(address, {"post": "yes"})
        with pytest.raises(ValidationError, match="can't be deleted because it has been used"):
            remove_unused(tenant, by=support)

    assert "would require deleting the following protected related objects" in shown
    assert "<li>Operation runs</li>" in shown
    assert 'name="post"' not in shown
    of_runs = [query["sql"] for query in captured if 'FROM "operation_runs"' in query["sql"]]
    assert of_runs
    assert all(sql.endswith("LIMIT 1") for sql in of_runs)


def test_every_link_of_the_list_of_groups_sorts_it(client: Client, support: User) -> None:
    Group.objects.create(name="Helpers")
    address = reverse("admin:auth_group_changelist")

    orders = set(re.findall(r'href="(\?o=[^"]+)"', text_of(client.get(address))))

    assert orders
    assert {client.get(address + order).status_code for order in orders} == {200}


def test_the_list_of_groups_counts_permissions_with_one_statement(
    client: Client, support: User
) -> None:
    permissions = list(Permission.objects.order_by("pk")[:3])
    Group.objects.create(name="Helpers").permissions.set(permissions)
    with CaptureQueriesContext(connection) as of_one:
        shown = text_of(client.get(reverse("admin:auth_group_changelist")))
    Group.objects.bulk_create([Group(name=f"Group {number}") for number in range(5)])
    with CaptureQueriesContext(connection) as of_six:
        client.get(reverse("admin:auth_group_changelist"))

    assert '<td class="field-permission_count">3</td>' in shown
    assert len(of_six) == len(of_one)


def test_the_page_of_a_workspace_leads_to_the_list_of_its_members(
    client: Client, support: User, tenant: Tenant
) -> None:
    """It lists none itself: there can be thousands."""
    for name in ("rita", "olga"):
        create_member(tenant.workspace, username=name)
    create_member(WorkspaceFactory(), username="stranger")

    html = text_of(client.get(to("workspace", "change", tenant.workspace_id)))
    link = re.search(r'<a href="([^"]+)">2</a>', html)
    assert link
    members = text_of(client.get(unescape(link[1])))

    assert "olga" not in html
    assert "rita" in members
    assert "olga" in members
    assert "stranger" not in members


def test_unused_tenants_and_workspaces_can_be_deleted(client: Client, support: User) -> None:
    tenant = TenantFactory(workspace=WorkspaceFactory())

    client.post(to("tenant", "delete", tenant.pk), {"post": "yes"})
    client.post(to("workspace", "delete", tenant.workspace_id), {"post": "yes"})

    assert not Workspace.objects.filter(pk=tenant.workspace_id).exists()


def test_support_suspends_a_tenant(client: Client, support: User, tenant: Tenant) -> None:
    client.post(to("tenant", "change", tenant.pk), {"name": "Fabrikam", "status": "suspended"})

    tenant.refresh_from_db()
    assert tenant.status == TenantStatus.SUSPENDED


def test_staff_cannot_extend_their_permissions(client: Client) -> None:
    clerk, other = UserFactory(is_staff=True), UserFactory()
    boss = UserFactory(is_staff=True, is_superuser=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="tenancy"))
    open_session(client, clerk)

    form = account_form(other, is_superuser="on", is_staff="on", is_active="on")
    client.post(to("user", "change", other.pk), form)
    other.refresh_from_db()
    refused = [
        client.post(to("user", "change", boss.pk), account_form(boss)).status_code,
        client.post(to("user", "delete", boss.pk), {"post": "yes"}).status_code,
        client.get(f"/admin/tenancy/user/{boss.pk}/password/").status_code,
        client.post(to("user", "change", clerk.pk), account_form(clerk)).status_code,
    ]

    assert not other.is_superuser
    assert not other.is_staff
    assert refused == [403, 403, 403, 403]


def test_support_unlocks_a_sign_in(client: Client, support: User, reader: User) -> None:
    outside = Client()
    for _ in range(6):
        outside.post(reverse("sign_in"), {"username": "rita", "password": "wrong"})
    right = {"username": "rita", "password": PASSWORD}
    locked = outside.post(reverse("sign_in"), right).status_code
    attempt = AccessAttempt.objects.get(username="rita")

    client.post(
        reverse("admin:axes_accessattempt_changelist"),
        {"action": "unlock", "_selected_action": [attempt.pk]},
    )

    assert locked == 429
    assert outside.post(reverse("sign_in"), right).status_code == 302


def test_a_list_says_that_it_is_too_long_to_be_counted(
    client: Client, support: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    TenantFactory()
    whole = text_of(client.get(to("tenant", "changelist")))
    monkeypatch.setattr(change_list, "COUNT_CAP", 1)
    capped = text_of(client.get(to("tenant", "changelist")))

    assert "2 tenants" in whole
    assert "1+ tenants" in capped


@pytest.mark.parametrize("listed", [1, 2])
def test_an_action_on_all_rows_takes_no_more_than_the_list_counts(
    client: Client, support: User, monkeypatch: pytest.MonkeyPatch, listed: int
) -> None:
    attempts = [
        AccessAttempt.objects.create(username=name, ip_address="10.0.0.1", failures_since_start=1)
        for name in ("rita", "omar")
    ]
    monkeypatch.setattr(model_admin, "COUNT_CAP", listed)
    form = {"action": "unlock", "select_across": "1", "_selected_action": [attempts[0].pk]}

    answer = client.post(reverse("admin:axes_accessattempt_changelist"), form, follow=True)

    is_refused = listed < len(attempts)
    assert ("more than 1 rows" in text_of(answer)) is is_refused
    assert AccessAttempt.objects.count() == (len(attempts) if is_refused else 0)


def test_a_search_that_takes_too_long_is_stopped(
    client: Client, support: User, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Tenant.objects.extra(where=["pg_sleep(5) IS NOT NULL"])
    monkeypatch.setattr(change_list, "LIST_SECONDS", 0.05)
    monkeypatch.setattr(TenantAdmin, "get_queryset", lambda *_: slow)

    html = text_of(client.get(to("tenant", "changelist")))

    assert "The search took too long." in html
    assert tenant.name not in html


@pytest.mark.parametrize("text", ["{id}", "{id}x", "-1", "9" * 30, "\u0663"])
def test_a_search_for_a_number_uses_its_index(tenant: Tenant, text: str) -> None:
    matches = Q(pk__iexact=text.format(id=tenant.pk)) | Q(name="another one")
    tenants = Tenant.objects.filter(matches)

    assert list(tenants) == ([tenant] if text == "{id}" else [])
    assert "UPPER" not in str(tenants.query)
