"""The pages on which users and owners create and revoke access tokens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client, RequestFactory
from django.urls import reverse
from pytest_django import Settings

from accounts.access_tokens import secrets
from accounts.access_tokens.services import create_personal_token
from accounts.models import AccessToken
from accounts.tokens import authenticate
from audit.context import audited_request
from audit.models import AuditEntry
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories.accounts import create_service_token, create_token
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

NEW = "/account/tokens/new/"
SERVICE = "/w/contoso/tokens/"


def secret_in(response: Any) -> str:
    (secret,) = set(re.findall(r"rlt_[0-9A-Za-z]{38}", response.content.decode()))
    return str(secret)


def test_a_user_creates_a_token_that_is_shown_once(
    client: Client, operator: User, workspace: Workspace
) -> None:
    open_session(client, operator)
    form = {"workspace": workspace.pk, "name": "Laptop", "role": "reader", "days": "30"}

    shown = client.post(NEW, form | {"operation_types": ["inventory.sync"]})
    again = client.post(NEW, form)

    secret = secret_in(shown)
    token = authenticate(f"Bearer {secret}", "192.0.2.7").token
    assert (token.user, token.role, token.operation_types) == (
        operator,
        "reader",
        ["inventory.sync"],
    )
    assert "Another access token has this name." in again.content.decode()
    listed = client.get("/account/tokens/").content.decode()
    assert secrets.hint_of(secret) in listed
    assert secret not in listed
    assert "“Laptop” was created" in mail.outbox[0].body
    assert secret not in mail.outbox[0].body


def test_an_owner_creates_a_service_token(client: Client, owner: User) -> None:
    open_session(client, owner)

    shown = client.post(f"{SERVICE}new/", {"name": "Report", "role": "operator", "days": "90"})

    user = authenticate(f"Bearer {secret_in(shown)}", None).user
    assert user.is_service_account
    # A service account is no member: it has no row, no role to change, and is no assignee.
    members = client.get("/w/contoso/members/").context["members"]
    assert [member.user for member in members] == [owner]
    assert "Report" in client.get(SERVICE).content.decode()
    membership = user.memberships.get()
    assert client.post(f"/w/contoso/members/{membership.pk}/remove/").status_code == 404


@pytest.mark.parametrize("name", ["manager", "operator", "reader"])
def test_only_owners_see_the_tokens_of_the_workspace(
    client: Client, name: str, request: pytest.FixtureRequest, owner: User, workspace: Workspace
) -> None:
    token = create_service_token(workspace, by=owner)
    open_session(client, request.getfixturevalue(name))

    for address in (SERVICE, f"{SERVICE}new/"):
        assert client.get(address).status_code == 403
    assert client.post(f"{SERVICE}{token.pk}/revoke/").status_code == 403
    assert AccessToken.objects.usable().get() == token


def test_an_owner_revokes_the_token_of_a_member(
    client: Client, owner: User, operator: User, workspace: Workspace
) -> None:
    token = create_token(operator, workspace)
    open_session(client, owner)
    assert "olga" in client.get(SERVICE).content.decode()

    answer = client.post(f"{SERVICE}{token.pk}/revoke/", follow=True)

    assert "is revoked" in answer.content.decode()
    token.refresh_from_db()
    assert (token.revoked_by, token.revoked_by_name) == (owner, "owen")
    assert mail.outbox[0].to == [operator.email]


def test_a_user_revokes_only_own_tokens(
    client: Client, operator: User, reader: User, workspace: Workspace
) -> None:
    own, other = create_token(operator, workspace), create_token(reader, workspace)
    open_session(client, operator)

    for token in (own.pk, other.pk, "x", "", 2**70):
        assert client.post("/account/tokens/revoke/", {"token": token}).status_code == 302

    assert AccessToken.objects.usable().get() == other


def test_the_setting_limits_the_choices(
    client: Client, operator: User, workspace: Workspace, settings: Settings
) -> None:
    settings.ACCESS_TOKEN_MAX_DAYS = 14
    open_session(client, operator)
    form = {"workspace": workspace.pk, "name": "Laptop", "role": "reader"}

    assert [value for value, _ in client.get(NEW).context["form"].fields["days"].choices] == [7, 14]
    assert client.post(NEW, form | {"days": "30"}).status_code == 400
    assert client.post(NEW, form | {"days": "14"}).status_code == 200


def test_a_user_creates_no_token_for_a_workspace_of_others(
    client: Client, stranger: User, workspace: Workspace
) -> None:
    open_session(client, stranger)
    form = {"workspace": workspace.pk, "name": "Laptop", "role": "reader", "days": "30"}

    assert client.post(NEW, form).status_code == 400
    assert not AccessToken.objects.exists()


def test_the_audit_log_has_the_token_without_its_hash(
    client: Client, operator: User, owner: User, workspace: Workspace
) -> None:
    open_session(client, operator)
    form = {"workspace": workspace.pk, "name": "Laptop", "role": "reader", "days": "30"}
    secret = secret_in(client.post(NEW, form))
    authenticate(f"Bearer {secret}", "192.0.2.7")
    client.post("/account/tokens/revoke/", {"token": AccessToken.objects.get().pk})

    entries = AuditEntry.objects.filter(object_type="access_tokens").order_by("pk")

    # The use is no change.
    assert [(entry.action, entry.user_name) for entry in entries] == [
        ("created", "olga"),
        ("updated", "olga"),
    ]
    text = str(list(entries.values()))
    assert secret not in text
    assert AccessToken.objects.get().secret_hash not in text
    open_session(client, owner)
    assert "Access token" in client.get(reverse("audit_log", args=["contoso"])).content.decode()


def test_the_audit_log_names_the_token_of_a_change(
    client: Client, owner: User, manager: User, workspace: Workspace, tenant: Tenant
) -> None:
    new = create_personal_token(manager, workspace, name="Laptop", role=Role.MANAGER, days=7)
    request = RequestFactory().post("/api/v1/schedules")
    request.user = authenticate(f"Bearer {new.secret}", "192.0.2.7").user
    with audited_request(request):
        BackupScheduleFactory(tenant=tenant)

    entry = AuditEntry.objects.get(object_type="backup_schedules")
    assert (entry.user_id, entry.access_token) == (manager.pk, f"Laptop ({new.token.hint})")
    open_session(client, owner)
    page = client.get(reverse("audit_log", args=["contoso"])).content.decode()
    assert f"Access token <bdi>Laptop ({new.token.hint})</bdi>" in page
