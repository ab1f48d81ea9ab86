"""Sign-ins, failed ones, lockouts and sign-outs have durable entries."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts import services as account_services
from accounts.second_factor.services import CodeRefused, use_code
from audit.events import record
from audit.models import AuditEntry
from tenancy import services
from tenancy.models import User
from tests.support.factories import PASSWORD, UserFactory
from tests.support.factories.accounts import add_app

ADDRESS = "2001:db8::7"
pytestmark = pytest.mark.django_db


def sign_in(client: Client, name: str, password: str = PASSWORD) -> None:
    client.post("/sign-in/", {"username": name, "password": password}, REMOTE_ADDR=ADDRESS)


def entries(action: str) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action).order_by("pk"))


def test_a_sign_in_and_a_sign_out(client: Client, owner: User) -> None:
    sign_in(client, "owen")
    client.post("/sign-out/", REMOTE_ADDR=ADDRESS)

    for entry in (*entries("signed_in"), *entries("signed_out")):
        assert (entry.user_name, entry.object_name) == ("owen", "owen")
        assert (entry.address, entry.origin) == (ADDRESS, "page")
        assert entry.workspace_id == owner.memberships.get().workspace_id
    assert len(entries("signed_in")) == len(entries("signed_out")) == 1


def test_a_failed_sign_in_of_a_member(client: Client, owner: User) -> None:
    sign_in(client, "owen", "nonsense")

    (entry,) = entries("sign_in_failed")
    assert (entry.object_type, entry.object_id) == ("users", str(owner.pk))
    assert (entry.object_name, entry.address) == ("owen", ADDRESS)
    assert (entry.user_name, entry.user_id) == ("", None)
    assert entry.workspace_id == owner.memberships.get().workspace_id
    assert "nonsense" not in str(AuditEntry.objects.values())


@pytest.mark.parametrize(
    ("name", "recorded"),
    [
        ("unknown@example.com", "unknown@example.com"),
        ("a\0b", "ab"),
        ("x" * 150, "x" * 150),
        ("' OR 1=1 %s", "' OR 1=1 %s"),
    ],
)
def test_a_failed_sign_in_with_any_name(client: Client, name: str, recorded: str) -> None:
    record("sign_in_failed", subject=name)
    sign_in(client, name, "nonsense")

    *_, entry = entries("sign_in_failed")
    assert entry.object_type == ""
    assert entry.workspace_id is None


def test_a_lockout_is_recorded_once_and_further_tries_cannot_fill_the_log(
    client: Client, owner: User
) -> None:
    for _ in range(5 + 12):
        sign_in(client, "owen", "nonsense")

    assert [entry.details for entry in entries("sign_in_failed")] == [
        *[{}] * 5,
        {"tries_during_lock": 1},
        {"tries_during_lock": 10},
    ]
    (locked,) = entries("sign_in_locked")
    assert (locked.object_name, locked.address) == ("owen", ADDRESS)


def test_callbacks_that_no_provider_sent_cannot_fill_the_log(
    client: Client, settings: Settings
) -> None:
    settings.OIDC_CLIENT_ID, settings.OIDC_ISSUER = "runledger", "https://sso.example.com"

    for query in ("", "?state=x&code=y", "?error=server_error"):
        assert client.get(f"/sign-in/oidc/{query}").status_code == 403

    assert not AuditEntry.objects.exists()


def test_wrong_codes_during_a_lock_cannot_fill_the_log(owner: User) -> None:
    add_app(owner)
    for _ in range(8):
        with pytest.raises(CodeRefused):
            use_code(owner, "000000")

    assert len(entries("second_factor_refused")) == 5
    assert len(entries("second_factor_locked")) == 1


@pytest.mark.parametrize("command", ["changepassword", "reset_second_factor"])
def test_owners_see_what_a_command_changed_about_a_member(
    command: str, owner: User, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda **_: "correct-Horse-7-battery")

    call_command(command, operator.username, stdout=StringIO())

    workspace = owner.memberships.get().workspace
    action = "updated" if command == "changepassword" else "second_factors_reset"
    entry = AuditEntry.objects.get(workspace=workspace, action=action, object_name="olga")
    assert entry.changes == ({"password": "changed"} if action == "updated" else {})
    assert "correct-Horse" not in str(AuditEntry.objects.values())


def test_an_unlocked_sign_in_names_who_unlocked_it(client: Client, owner: User) -> None:
    services.unlock("owen", ADDRESS, by=UserFactory())

    (entry,) = entries("sign_in_unlocked")
    assert (entry.object_name, entry.details) == ("owen", {"address": ADDRESS})


def test_an_event_that_no_app_has_registered_is_refused() -> None:
    with pytest.raises(ValueError, match="not registered"):
        record("unheard_of")


def test_the_details_of_an_event_contain_no_secret() -> None:
    record("sign_in_failed", subject="x", details={"client_secret": "hunter2", "count": 3})

    assert entries("sign_in_failed")[0].details["count"] == 3
    assert "hunter2" not in str(entries("sign_in_failed")[0].details)


def test_a_reset_address_of_a_proxy_is_not_believed(client: Client, owner: User) -> None:
    client.post(
        "/sign-in/",
        {"username": "owen", "password": "nonsense"},
        REMOTE_ADDR=ADDRESS,
        headers={"x-forwarded-for": "203.0.113.9"},
    )

    assert entries("sign_in_failed")[0].address == ADDRESS


def test_the_address_of_a_socket_is_empty(client: Client, owner: User) -> None:
    client.post("/sign-in/", {"username": "owen", "password": "nonsense"}, REMOTE_ADDR="")

    assert entries("sign_in_failed")[0].address is None


def test_reading_a_page_adds_no_entry(client: Client, owner: User) -> None:
    sign_in(client, "owen")
    count = AuditEntry.objects.count()
    client.get(reverse("tenant_list", args=["contoso"]))

    assert AuditEntry.objects.count() == count


def test_ended_sessions(client: Client, owner: User) -> None:
    sign_in(client, "owen")
    session = owner.sessions.get()

    assert account_services.end_session(owner, str(session.pk))
    assert not account_services.end_session(owner, str(session.pk))
    account_services.end_sessions(owner)

    assert [entry.object_name for entry in entries("session_ended")] == ["owen"]
    assert [entry.details for entry in entries("sessions_ended")] == [{"count": 0}]
