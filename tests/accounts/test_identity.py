"""Sensitive changes need a recent sign-in; the page that asks keeps what was entered."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.invitations.models import Invitation
from accounts.models import Session
from accounts.sessions import SessionStore
from providers.models import ProviderConnection
from restores.models import RestoreRun
from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Capability, Role
from tests.support.factories import PASSWORD, create_member
from tests.support.factories.accounts import make_sign_in_older
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore
from tests.support.routes import OPEN, ROUTES, named_views
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

INVITE = "/w/contoso/invitations/new/"


@pytest.fixture
def page(client: Client, owner: User) -> Client:
    """A client of an owner who signed in an hour ago."""
    open_session(client, owner)
    make_sign_in_older(owner, 3600)
    return client


def kept_fields(answer: Any) -> dict[str, list[str]]:
    """The fields of the page that asks, as a browser sends them again."""
    shown = answer.content.decode()
    fields: dict[str, list[str]] = {}
    for name, value in re.findall(
        r'<textarea name="([^"]*)"[^>]*>\n(.*?)</textarea>', shown, re.DOTALL
    ):
        fields.setdefault(unescape(name), []).append(unescape(value))
    confirm_for = re.search(r'name="confirm_for" value="(\w+)"', shown)
    assert confirm_for, shown
    return fields | {"confirm_for": [confirm_for[1]]}


def confirm(page: Client, address: str, answer: Any, password: str = PASSWORD) -> Any:
    return page.post(address, kept_fields(answer) | {"confirm_password": [password]})


def asks(answer: Any) -> bool:
    return answer.status_code == 403 and "Confirm your identity" in answer.content.decode()


#: Views of accounts, or for owners and managers, that do not ask, and why.
ASK_NOTHING = {
    "account": "shows only",
    "second_factor_required": "shows only",
    "audit_log": "shows only",
    "audit_export": "shows only",
    "password_change": "asks for the password itself",
    "account_time_zone": "changes how times are shown",
    "account_shortcuts": "changes which keys do something",
    "identity_confirm": "is the confirmation",
    "session_end": "takes away only",
    "sign_out_everywhere": "takes away only",
    "access_token_list": "shows only",
    "access_token_revoke": "takes away only",
    "workspace_token_list": "shows only",
    "workspace_token_revoke": "takes away only",
    "approval_off_withdraw": "keeps the approval on",
    "connection_create": "contains no credential; entering it asks",
    "connection_edit": "contains no credential; a restore that uses it asks",
    "connection_default": "a restore that uses it asks",
    "tenant_create": "contains no credential",
    "tenant_edit": "changes the name only",
    "support_access_end": "takes away only",
    "notification_rule_edit": "sends what members can see",
    "notification_rule_delete": "takes away only",
    "notification_delivery_send_again": "sends what the receiver gets",
    "webhook_endpoint_test": "sends no event",
    "webhook_endpoint_pause": "stops sending",
    "webhook_endpoint_resume": "sends what the endpoint gets",
    "webhook_endpoint_delete": "takes away only",
    "tenant_suspend": "stops runs",
    "tenant_archive": "stops runs, and can be undone",
    "tenant_resume": "lets runs start again",
    "restore_create": "changes nothing in the tenant; the execution asks",
    "restore_decide": "changes nothing in the tenant; the execution asks",
    "restore_discard": "changes nothing in the tenant",
    "restore_missing": "changes nothing in the tenant; the execution asks",
    "restore_retry": "changes nothing in the tenant; the execution asks",
}
SENSITIVE = {
    *(Capability.MANAGE_MEMBERS, Capability.MANAGE_WORKSPACE, Capability.MANAGE_TENANTS),
    *(Capability.MANAGE_CONNECTIONS, Capability.RESTORE, Capability.VIEW_AUDIT_LOG),
}


def test_every_view_of_accounts_members_credentials_and_restores_asks_or_has_a_reason() -> None:
    """A new view is found, because `tests/isolation` finds a route that is not in the table."""
    views = {name: view for name, view in named_views().items() if name not in OPEN}
    sensitive = {route.name for route in ROUTES if route.capability in SENSITIVE} | {
        name for name, view in views.items() if view.__module__.startswith("accounts.")
    }
    asking = {name for name in sensitive if hasattr(views[name], "recent_sign_in_required")}

    assert sensitive - asking == ASK_NOTHING.keys()
    assert {"identity_disconnect", "approval_off_request", "approval_off_confirm"} <= asking
    assert {"workspace_edit", "restore_execute", "restore_approve"} <= asking


def test_every_sensitive_change_asks(
    page: Client, owner: User, workspace: Workspace, tenant: Tenant
) -> None:
    member = create_member(workspace, Role.READER).memberships.get()
    connection = ProviderConnectionFactory(tenant=tenant)
    restore = create_restore(tenant)
    base = f"{connection.get_absolute_url()}"
    changes = [
        (f"{base}credential/", {"secret": "s3cret-value"}),
        (f"{base}remove/", {}),
        (f"/w/contoso/members/{member.pk}/role/", {"role": "owner"}),
        (f"/w/contoso/members/{member.pk}/remove/", {}),
        (INVITE, {"email": "nadia@example.com", "role": "owner"}),
        (f"{restore.get_absolute_url()}execute/", {"digest": "x"}),
        ("/account/tokens/new/", {"name": "Laptop"}),
        ("/w/contoso/tokens/new/", {"name": "Nightly report"}),
        ("/account/second-factor/app/", {"code": "123456"}),
        ("/account/second-factor/passkey/", {"name": "Laptop"}),
        ("/account/second-factor/remove/", {"factor": "1"}),
        ("/account/second-factor/recovery-codes/", {}),
    ]

    assert [address for address, form in changes if not asks(page.post(address, form))] == []
    member.refresh_from_db()
    assert member.role == Role.READER
    assert ProviderConnection.objects.filter(pk=connection.pk).exists()
    assert RestoreRun.objects.get().status == "previewed"
    assert not Invitation.objects.exists()


def test_opening_the_address_of_a_change_leads_to_its_page_and_does_not_ask(page: Client) -> None:
    response = page.get("/account/second-factor/recovery-codes/")

    assert (response.status_code, response["Location"]) == (302, "/account/")


def test_changes_of_accounts_and_members_in_the_administration_ask(
    client: Client, reader: User, workspace: Workspace
) -> None:
    staff = User.objects.create(username="sara", is_staff=True, is_superuser=True)
    staff.set_password(PASSWORD)
    staff.save()
    open_session(client, staff)
    make_sign_in_older(staff, 3600)
    membership = reader.memberships.get()
    address = f"/admin/tenancy/membership/{membership.pk}/change/"
    changes = [
        (address, {"role": "owner"}),
        (f"/admin/tenancy/membership/{membership.pk}/delete/", {"post": "yes"}),
        (f"/admin/tenancy/user/{reader.pk}/change/", {"is_superuser": "on"}),
        (f"/admin/tenancy/user/{reader.pk}/delete/", {"post": "yes"}),
        (f"/admin/tenancy/user/{reader.pk}/password/", {"password1": "x", "password2": "x"}),
        ("/admin/tenancy/user/add/", {"username": "mallory"}),
        ("/admin/auth/group/add/", {"name": "Administrators"}),
        (f"/admin/tenancy/workspace/{workspace.pk}/change/", {"name": "Contoso"}),
        ("/admin/tenancy/user/", {"action": "delete_selected", "_selected_action": reader.pk}),
    ]

    asked = {form_address: client.post(form_address, form) for form_address, form in changes}
    answer = confirm(client, address, asked[address])

    assert [name for name, page in asked.items() if not asks(page)] == []
    assert client.get(f"/admin/tenancy/user/{reader.pk}/change/").status_code == 200
    assert answer.status_code == 302
    membership.refresh_from_db()
    assert membership.role == Role.OWNER


def test_the_change_is_made_after_the_password_with_everything_that_was_entered(
    page: Client, workspace: Workspace
) -> None:
    form = {"email": "nadia@example.com", "role": "manager"}

    answer = confirm(page, INVITE, page.post(INVITE, form))

    assert answer["Location"] == "/w/contoso/members/"
    invitation = Invitation.objects.get()
    assert (invitation.email, invitation.role) == ("nadia@example.com", "manager")


HOSTILE = [
    "</textarea><script>alert(1)</script>",
    "\n\nfirst\n last ",
    "\u00fc\u202e",
    '"><b>',
    "a&amp;b",
]


def test_every_value_is_kept_exactly_and_escaped(page: Client) -> None:
    answer = page.post(INVITE, {"email": HOSTILE, "x[]": "1"})

    fields = kept_fields(answer)
    assert fields["email"] == HOSTILE
    assert fields["x[]"] == ["1"]
    assert b"<script>alert" not in answer.content


def test_nothing_that_was_entered_is_stored_in_the_session(
    page: Client, owner: User, tenant: Tenant
) -> None:
    connection = ProviderConnectionFactory(tenant=tenant)

    page.post(f"{connection.get_absolute_url()}credential/", {"secret": "s3cret-canary"})

    for row in Session.objects.all():
        assert "s3cret-canary" not in str(SessionStore().decode(row.session_data))


def test_a_page_asks_before_its_form_is_filled_in(page: Client) -> None:
    asked = page.get(INVITE)
    answer = confirm(page, INVITE, asked)

    assert asks(asked)
    assert answer["Location"] == INVITE
    assert page.get(INVITE).status_code == 200


def test_a_wrong_password_asks_again_and_keeps_what_was_entered(page: Client) -> None:
    first = page.post(INVITE, {"email": "nadia@example.com", "role": "reader"})

    second = confirm(page, INVITE, first, "wrong")

    assert asks(second)
    assert "The password is incorrect" in second.content.decode()
    assert kept_fields(second) == kept_fields(first)
    assert b"wrong" not in second.content.replace(b"wrong</", b"")
    assert not Invitation.objects.exists()


def test_wrong_passwords_lock_like_those_of_a_sign_in(page: Client, owner: User) -> None:
    asked = page.post(INVITE, {"email": "nadia@example.com", "role": "reader"})
    for _ in range(5):
        confirm(page, INVITE, asked, "wrong")

    answer = confirm(page, INVITE, asked)

    assert answer.status_code == 429
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(("age", "expected"), [(595, 200), (605, 403)])
def test_a_sign_in_counts_as_recent_for_ten_minutes(
    client: Client, owner: User, age: int, expected: int
) -> None:
    client.post("/sign-in/", {"username": owner.username, "password": PASSWORD})
    make_sign_in_older(owner, age)

    assert client.get(INVITE).status_code == expected


def test_the_installation_sets_how_long_a_sign_in_counts(
    settings: Any, client: Client, owner: User
) -> None:
    settings.RECENT_SIGN_IN_MINUTES = 60
    open_session(client, owner)
    make_sign_in_older(owner, 3000)

    assert client.get(INVITE).status_code == 200


def test_a_confirmation_counts_for_this_session_only(page: Client, owner: User) -> None:
    other = open_session(Client(), owner)
    make_sign_in_older(owner, 3600)

    confirm(page, INVITE, page.get(INVITE))

    assert page.get(INVITE).status_code == 200
    assert asks(other.get(INVITE))


def test_the_password_of_another_user_does_not_confirm(page: Client, reader: User) -> None:
    reader.set_password("another-Password-9")
    reader.save()

    assert asks(confirm(page, INVITE, page.get(INVITE), "another-Password-9"))


def test_a_user_without_a_password_is_sent_to_sign_in_again(page: Client, owner: User) -> None:
    owner.set_unusable_password()
    owner.save()
    open_session(page, owner)
    make_sign_in_older(owner, 3600)

    shown = page.get(INVITE).content.decode()

    assert "Sign out, then sign in again" in shown
    assert 'name="confirm_password"' not in shown


BAD_ANSWERS = [
    {"confirm_password": ""},
    {"confirm_password": "\x00"},
    {"confirm_passkey": "{}"},
    {"confirm_passkey": "null"},
    {"confirm_passkey": "x" * 30_000},
    {"confirm_passkey": '{"id": "AA", "rawId": "AA", "response": {}, "type": "public-key"}'},
    {"confirm_for": "PUT", "confirm_password": "x"},
]


@pytest.mark.parametrize("fields", BAD_ANSWERS, ids=lambda fields: str(fields)[:40])
def test_a_malformed_answer_asks_again(page: Client, fields: dict[str, str]) -> None:
    assert asks(page.post(INVITE, {"confirm_for": "POST", **fields}))
