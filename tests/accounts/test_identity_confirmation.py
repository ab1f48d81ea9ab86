"""A user confirms who they are with the identity provider."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from accounts import id_tokens
from accounts.models import Session
from audit.models import AuditEntry
from tenancy.models import User
from tests.support.factories.accounts import make_sign_in_older
from tests.support.openid_provider import TENANT, OpenIdProvider, callback_of, redirect_of, start
from tests.support.sessions import open_session

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

INVITE = "/w/contoso/invitations/new/"
OID = "7c0e3c3b-8f5f-4a35-b0a4-333333333333"


@pytest.fixture
def stale(entra: OpenIdProvider, owner: User) -> Client:
    """An owner with a connected identity who signed in an hour ago."""
    entra.set_claims("alice", oid=OID, tid=TENANT)
    SocialAccount.objects.create(user=owner, provider="entra", uid=f"{TENANT}/{OID}")
    client = open_session(Client(), owner)
    make_sign_in_older(owner, 3600)
    return client


def start_confirmation(client: Client) -> str:
    """Ask for the confirmation; return the address at the provider."""
    asked = client.get(INVITE)
    form = {"provider": "entra", "next": asked.context["confirm_next"]}
    return redirect_of(client.post("/account/identities/confirm/", form))


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


def test_a_sign_in_at_the_provider_confirms_and_leads_back(
    entra: OpenIdProvider, stale: Client, owner: User
) -> None:
    session = Session.objects.get(user=owner).session_key

    answer = stale.get(callback_of(entra.sign_in(start_confirmation(stale), "alice")))

    assert answer["Location"] == INVITE
    assert stale.get(INVITE).status_code == 200
    assert Session.objects.get(user=owner).session_key == session
    assert AuditEntry.objects.get(action="identity_confirmed").details == {"provider": "Microsoft"}
    assert not AuditEntry.objects.filter(action="signed_in").exists()


def test_the_provider_asks_a_user_who_has_a_session_there(
    entra: OpenIdProvider, stale: Client
) -> None:
    browser = entra.open_browser()
    entra.sign_in(start(Client(), "entra"), "alice", browser)

    entra.sign_in(start_confirmation(stale), "alice", browser)

    assert browser.logins == 2


@pytest.mark.parametrize("removed", [["prompt"], ["prompt", "max_age"]])
def test_a_session_at_the_provider_confirms_nothing(
    entra: OpenIdProvider, stale: Client, removed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The browser can remove what the request asks for."""
    monkeypatch.setattr(id_tokens, "LEEWAY_SECONDS", 1)
    browser = entra.open_browser()
    entra.sign_in(start(Client(), "entra"), "alice", browser)
    time.sleep(2.1)
    address = start_confirmation(stale)
    for name in removed:
        address = re.sub(rf"&{name}=[^&]+", "", address)

    answer = stale.get(callback_of(entra.sign_in(address, "alice", browser)))

    assert browser.logins == 1
    assert answer.status_code == 403
    assert "did not confirm that you signed in just now" in text_of(answer)
    assert stale.get(INVITE).status_code == 403


@pytest.mark.parametrize("is_connected", [True, False])
def test_the_identity_of_another_account_confirms_nothing(
    entra: OpenIdProvider, stale: Client, operator: User, is_connected: bool
) -> None:
    other = OID.replace("3", "4")
    entra.set_claims("eve", oid=other, tid=TENANT)
    if is_connected:
        SocialAccount.objects.create(user=operator, provider="entra", uid=f"{TENANT}/{other}")

    answer = stale.get(callback_of(entra.sign_in(start_confirmation(stale), "eve")))

    assert answer.status_code == 403
    assert "not connected to your account" in text_of(answer)
    assert stale.get(INVITE).status_code == 403
    assert stale.get("/account/").context["user"].username == "owen"


def test_a_confirmation_is_for_the_session_that_started_it(
    entra: OpenIdProvider, stale: Client, owner: User
) -> None:
    other = open_session(Client(), owner)
    make_sign_in_older(owner, 3600)

    answer = other.get(callback_of(entra.sign_in(start_confirmation(stale), "alice")))

    assert answer.status_code == 403
    assert other.get(INVITE).status_code == 403


def test_a_confirmation_leads_to_no_other_site(entra: OpenIdProvider, stale: Client) -> None:
    form = {"provider": "entra", "next": "https://evil.example/"}
    address = redirect_of(stale.post("/account/identities/confirm/", form))

    assert stale.get(callback_of(entra.sign_in(address, "alice")))["Location"] == "/"


def test_a_posted_form_leads_back_to_its_page(stale: Client) -> None:
    page = {"Referer": "http://testserver/w/contoso/members/"}

    first = stale.post(INVITE, {"email": "x"}, headers=page)
    second = stale.post(INVITE, {"confirm_for": "POST", "confirm_next": "/w/contoso/members/"})

    for asked in (first, second):
        assert asked.context["confirm_next"] == "/w/contoso/members/"
        assert "Continue with Microsoft" in text_of(asked)


def test_only_connected_providers_are_offered(
    plain_provider: OpenIdProvider, stale: Client
) -> None:
    assert "Contoso SSO" not in text_of(stale.get(INVITE))
    answer = stale.post("/account/identities/confirm/", {"provider": "oidc"}, follow=True)
    assert "not connected an identity of this provider" in text_of(answer)
