"""Support's forms keep the rules of the pages: an owner stays, what happened stays."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace
from tenancy.roles import Role
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

NO_INLINE = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}


@pytest.fixture
def support(client: Client) -> User:
    user: User = UserFactory(is_staff=True, is_superuser=True)
    open_session(client, user)
    return user


def to(model: str, page: str, *ids: int) -> str:
    return reverse(f"admin:tenancy_{model}_{page}", args=ids)


def said(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


def test_support_gives_a_new_workspace_its_first_owner(client: Client, support: User) -> None:
    rita = UserFactory(username="rita")

    wish = {"name": "Adatum", "slug": "adatum", "timezone": "UTC", **NO_INLINE}
    client.post(to("workspace", "add"), wish)
    made = Workspace.objects.get(slug="adatum")
    form = {"user": rita.pk, "workspace": made.pk, "role": "owner"}
    answer = client.post(to("membership", "add"), form)

    assert answer.status_code == 302
    assert Membership.objects.get(workspace=made).role == Role.OWNER
    shown = said(client.get(to("workspace", "change", made.pk)))
    assert "rita" in shown
    assert 'name="memberships-0-role"' not in shown


def test_the_address_of_a_workspace_stays(
    client: Client, support: User, workspace: Workspace
) -> None:
    form = {"name": "Contoso Ltd", "slug": "moved", "timezone": "Europe/Berlin", **NO_INLINE}

    client.post(to("workspace", "change", workspace.pk), form)

    workspace.refresh_from_db()
    assert (workspace.name, workspace.slug) == ("Contoso Ltd", "contoso")


def test_the_last_owner_stays(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    kept = Membership.objects.get(user=owner)

    changed = client.post(to("membership", "change", kept.pk), {"role": "reader"})
    removed = client.post(to("membership", "delete", kept.pk), {"post": "yes"}, follow=True)
    deleted = client.post(to("user", "delete", owner.pk), {"post": "yes"}, follow=True)

    for answer in (changed, removed, deleted):
        assert "keeps at least one owner" in said(answer)
    kept.refresh_from_db()
    assert kept.role == Role.OWNER


def test_one_of_two_owners_may_go(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    other = Membership.objects.get(user=create_member(workspace, Role.OWNER))

    client.post(to("membership", "change", other.pk), {"role": "reader"})
    other.refresh_from_db()
    assert other.role == Role.READER

    client.post(to("membership", "delete", other.pk), {"post": "yes"})
    assert not Membership.objects.filter(pk=other.pk).exists()


def test_who_is_a_member_already_is_told_so(
    client: Client, support: User, workspace: Workspace, reader: User
) -> None:
    form = {"user": reader.pk, "workspace": workspace.pk, "role": "owner"}

    answer = client.post(to("membership", "add"), form)

    assert answer.status_code == 200
    assert "is already a member" in said(answer)
    assert Membership.objects.get(user=reader).role == Role.READER


def test_a_deleted_account_leaves_its_runs_with_its_name(
    client: Client, support: User, tenant: Tenant
) -> None:
    gone = create_member(tenant.workspace, Role.OPERATOR, username="olga")
    run = OperationRunFactory(tenant=tenant, succeeded=True, user=gone, initiator_name="olga")

    client.post(to("user", "delete", gone.pk), {"post": "yes"})

    run.refresh_from_db()
    assert not User.objects.filter(username="olga").exists()
    assert (run.user_id, run.initiator_name) == (None, "olga")


def account_form(user: User, **more: object) -> dict[str, object]:
    return {
        "username": user.username,
        "date_joined_0": "2026-01-01",
        "date_joined_1": "10:00:00",
    } | more


def test_closing_the_account_of_the_last_owner_is_possible_and_told(
    client: Client, support: User, workspace: Workspace, owner: User
) -> None:
    answer = client.post(to("user", "change", owner.pk), account_form(owner), follow=True)

    owner.refresh_from_db()
    assert not owner.is_active
    assert "Contoso Services has no owner who can sign in" in said(answer)


def test_what_has_been_used_is_not_deleted(client: Client, support: User, tenant: Tenant) -> None:
    OperationRunFactory(tenant=tenant, succeeded=True)

    client.post(to("tenant", "delete", tenant.pk), {"post": "yes"})
    client.post(to("workspace", "delete", tenant.workspace_id), {"post": "yes"})

    assert Tenant.objects.filter(pk=tenant.pk).exists()
    assert Workspace.objects.filter(pk=tenant.workspace_id).exists()


def test_what_was_made_by_mistake_is_deleted(client: Client, support: User) -> None:
    tenant = TenantFactory(workspace=WorkspaceFactory())

    client.post(to("tenant", "delete", tenant.pk), {"post": "yes"})
    client.post(to("workspace", "delete", tenant.workspace_id), {"post": "yes"})

    assert not Workspace.objects.filter(pk=tenant.workspace_id).exists()


def test_support_suspends_a_tenant(client: Client, support: User, tenant: Tenant) -> None:
    client.post(to("tenant", "change", tenant.pk), {"name": "Fabrikam", "status": "suspended"})

    tenant.refresh_from_db()
    assert tenant.status == TenantStatus.SUSPENDED


def test_staff_cannot_rise_above_their_rights(client: Client) -> None:
    clerk, other = UserFactory(is_staff=True), UserFactory()
    boss = UserFactory(is_staff=True, is_superuser=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="tenancy"))
    open_session(client, clerk)

    wish = account_form(other, is_superuser="on", is_staff="on", is_active="on")
    client.post(to("user", "change", other.pk), wish)
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


def test_support_lets_somebody_try_again_who_was_locked_out(
    client: Client, support: User, reader: User
) -> None:
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
