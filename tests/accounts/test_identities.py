"""Sign-in with a real OpenID provider, and everything that makes it fail."""

from __future__ import annotations

import datetime as dt
import html
import re
import time
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount, SocialToken
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import GroupRole
from audit.models import AuditEntry
from tenancy.models import User, Workspace
from tests.support.concurrency import backend_pid, racing_threads
from tests.support.factories import PASSWORD, UserFactory
from tests.support.factories.accounts import create_invitation
from tests.support.openid_provider import SECRET, TENANT, OpenIdProvider, callback_of, start
from tests.support.sessions import open_session

pytestmark = [pytest.mark.django_db, pytest.mark.integration]

OID = "7c0e3c3b-8f5f-4a35-b0a4-111111111111"


def sign_in(client: Client, provider: OpenIdProvider, kind: str, name: str) -> Any:
    """Sign in with the provider; return the answer to the callback."""
    return client.get(callback_of(provider.sign_in(start(client, kind), name)))


def connect(provider: OpenIdProvider, kind: str, user: User, name: str) -> Client:
    client = open_session(Client(), user)
    answer = sign_in(client, provider, kind, name)
    assert answer["Location"] == "/account/"
    return client


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


@pytest.fixture
def alice(entra: OpenIdProvider, operator: User) -> str:
    """A user of the tenant whose identity is connected to the account of the operator."""
    entra.set_claims("alice", oid=OID, tid=TENANT, email="alice@contoso.com", name="Alice")
    connect(entra, "entra", operator, "alice")
    return "alice"


def test_a_connected_identity_signs_in(entra: OpenIdProvider, alice: str, operator: User) -> None:
    client = Client()

    answer = sign_in(client, entra, "entra", alice)

    assert answer.status_code == 302
    assert client.get("/account/").context["user"] == operator


def test_sign_in_returns_to_the_page_that_was_asked_for(entra: OpenIdProvider, alice: str) -> None:
    client = Client()
    address = start(client, "entra", next="/runs/?view=active")

    answer = client.get(callback_of(entra.sign_in(address, alice)))

    assert answer["Location"] == "/runs/?view=active"


def test_a_plain_provider_signs_in_too(plain_provider: OpenIdProvider, operator: User) -> None:
    connect(plain_provider, "oidc", operator, "bob")
    client = Client()

    sign_in(client, plain_provider, "oidc", "bob")

    assert client.get("/account/").context["user"] == operator
    assert SocialAccount.objects.get().uid == f"{plain_provider.issuer} bob"


def test_the_identity_is_the_object_in_the_tenant(alice: str) -> None:
    assert SocialAccount.objects.get().uid == f"{TENANT}/{OID}"


def test_the_request_has_state_nonce_and_a_code_challenge(entra: OpenIdProvider) -> None:
    first, second = (parse_qs(urlsplit(start(Client(), "entra")).query) for _ in range(2))

    assert first["code_challenge_method"] == ["S256"]
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
    assert set(first["scope"][0].split()) == {"openid", "profile", "email"}


def test_no_token_is_stored(alice: str) -> None:
    account = SocialAccount.objects.get()

    assert not SocialToken.objects.exists()
    assert account.extra_data == {"name": "Alice", "email": "alice@contoso.com"}


def test_a_changed_email_is_the_same_user(
    entra: OpenIdProvider, alice: str, operator: User
) -> None:
    entra.set_claims("alice", oid=OID, tid=TENANT, email="changed@contoso.com")
    client = Client()

    sign_in(client, entra, "entra", alice)

    operator.refresh_from_db()
    assert client.get("/account/").context["user"] == operator
    assert operator.email == "olga@example.com"


def test_the_email_of_an_account_does_not_open_it(entra: OpenIdProvider, owner: User) -> None:
    """Not even a verified one: the other object could be anyone who was given the address."""
    entra.set_claims(
        "eve", oid=OID.replace("1", "2"), tid=TENANT, email=owner.email, email_verified=True
    )
    client = Client()

    answer = sign_in(client, entra, "entra", "eve")

    assert answer.status_code == 403
    assert "There is no account for this identity" in text_of(answer)
    assert client.get("/account/").status_code == 302
    assert not SocialAccount.objects.exists()
    assert User.objects.filter(email=owner.email).count() == 1


def test_a_foreign_tenant_is_refused(entra: OpenIdProvider, alice: str) -> None:
    entra.set_claims("alice", oid=OID, tid="99999999-52d1-4a53-9b1c-0f5d7c2e8a11")
    client = Client()

    answer = sign_in(client, entra, "entra", alice)

    assert answer.status_code == 403
    assert "belongs to another organization" in text_of(answer)
    assert AuditEntry.objects.filter(action="sign_in_failed", object_name="Microsoft").exists()
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("claims", [{}, {"oid": OID}, {"tid": TENANT}, {"oid": 7, "tid": TENANT}])
def test_claims_without_an_identity_are_refused(
    entra: OpenIdProvider, claims: dict[str, Any]
) -> None:
    entra.set_claims("mallory", **claims)

    answer = sign_in(Client(), entra, "entra", "mallory")

    assert answer.status_code == 403
    assert "did not say who you are" in text_of(answer)


def test_an_answer_of_another_issuer_is_refused(entra: OpenIdProvider, alice: str) -> None:
    client = Client()
    address = callback_of(entra.sign_in(start(client, "entra"), alice))

    answer = client.get(re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", address))

    assert "not valid for this sign-in" in text_of(answer)


def test_another_nonce_is_refused(entra: OpenIdProvider, alice: str) -> None:
    client = Client()
    address = re.sub(r"nonce=[^&]+", "nonce=of-another-sign-in", start(client, "entra"))

    answer = client.get(callback_of(entra.sign_in(address, alice)))

    assert answer.status_code == 403
    assert "not valid for this sign-in" in text_of(answer)
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("state", ["", "x", "\0", "a" * 5000])
def test_another_state_is_refused(entra: OpenIdProvider, alice: str, state: str) -> None:
    client = Client()
    answer_of_provider = callback_of(entra.sign_in(start(client, "entra"), alice))
    code = parse_qs(urlsplit(answer_of_provider).query)["code"][0]

    answer = client.get("/sign-in/entra/", {"code": code, "state": state})

    assert answer.status_code == 403
    assert "started in another browser" in text_of(answer)


def test_the_answer_for_another_browser_is_refused(entra: OpenIdProvider, alice: str) -> None:
    address = callback_of(entra.sign_in(start(Client(), "entra"), alice))

    assert "started in another browser" in text_of(Client().get(address))


def test_an_answer_is_accepted_once(entra: OpenIdProvider, alice: str) -> None:
    client = Client()
    address = callback_of(entra.sign_in(start(client, "entra"), alice))
    client.get(address)
    client.post("/sign-out/")

    assert client.get(address).status_code == 403


def test_an_expired_token_is_refused(entra: OpenIdProvider, alice: str) -> None:
    client = Client()
    address = callback_of(entra.sign_in(start(client, "entra"), alice))

    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)):
        answer = client.get(address)

    assert answer.status_code == 403
    assert "not valid for this sign-in" in text_of(answer)


def test_a_cancelled_sign_in_leads_back(entra: OpenIdProvider) -> None:
    client = Client()
    state = parse_qs(urlsplit(start(client, "entra")).query)["state"][0]

    answer = client.get("/sign-in/entra/", {"error": "access_denied", "state": state}, follow=True)

    assert answer.redirect_chain == [("/sign-in/", 302)]
    assert "You did not sign in with Microsoft" in text_of(answer)


@pytest.mark.parametrize("query", [{"error": "server_error"}, {}, {"code": "guessed"}])
def test_an_answer_without_a_valid_code_is_refused(
    entra: OpenIdProvider, query: dict[str, str]
) -> None:
    client = Client()
    state = parse_qs(urlsplit(start(client, "entra")).query)["state"][0]

    answer = client.get("/sign-in/entra/", query | {"state": state})

    assert answer.status_code == 403
    assert "did not confirm the sign-in" in text_of(answer)


def test_a_provider_that_does_not_run_is_a_clear_page(
    entra: OpenIdProvider, alice: str, settings: Settings
) -> None:
    client = Client()
    address = callback_of(entra.sign_in(start(client, "entra"), alice))
    settings.ENTRA_AUTHORITY = "https://localhost:1"

    at_start = client.post("/sign-in/start/", {"provider": "entra"})
    at_the_end = client.get(re.sub(r"&iss=[^&]+", "", address))

    for answer in (at_start, at_the_end):
        assert answer.status_code == 503
        assert "can't be reached" in text_of(answer)


def test_a_provider_with_an_unknown_certificate_is_not_asked(
    entra: OpenIdProvider, settings: Settings
) -> None:
    settings.OIDC_CA_BUNDLE = ""

    assert Client().post("/sign-in/start/", {"provider": "entra"}).status_code == 503


def test_the_discovery_document_must_be_that_of_the_issuer(
    entra: OpenIdProvider, settings: Settings
) -> None:
    settings.ENTRA_AUTHORITY = entra.authority.replace("localhost", "127.0.0.1")

    assert Client().post("/sign-in/start/", {"provider": "entra"}).status_code == 503


def test_parameters_of_the_request_do_not_reach_the_provider(entra: OpenIdProvider) -> None:
    client = Client()
    path = "/sign-in/start/?scope=offline_access&auth_params=prompt%3Dnone&process=connect"

    page = client.post(path, {"provider": "entra"}).content.decode()

    assert "offline_access" not in page
    assert "prompt=none" not in page


@pytest.mark.parametrize("provider", ["", "entra", "oidc", "google", "\0"])
def test_a_provider_that_is_not_configured_does_not_exist(
    client: Client, db: None, provider: str
) -> None:
    assert client.post("/sign-in/start/", {"provider": provider}).status_code == 404
    assert client.get("/sign-in/entra/").status_code == 404
    assert client.get("/sign-in/oidc/").status_code == 404


def test_the_sign_in_page_offers_the_providers_of_the_settings(
    entra: OpenIdProvider, plain_provider: OpenIdProvider, client: Client
) -> None:
    text = text_of(client.get("/sign-in/"))

    assert "Sign in with Microsoft" in text
    assert "Sign in with Contoso SSO" in text
    assert SECRET not in text


def test_an_identity_of_another_account_cannot_be_connected(
    entra: OpenIdProvider, alice: str, owner: User, operator: User
) -> None:
    client = open_session(Client(), owner)

    answer = client.get(callback_of(entra.sign_in(start(client, "entra"), alice)), follow=True)

    assert "connected to another account" in text_of(answer)
    assert SocialAccount.objects.get().user == operator


def test_connecting_needs_the_session_that_started_it(
    entra: OpenIdProvider, operator: User
) -> None:
    """Otherwise an attacker connects the own identity to the account of a victim."""
    entra.set_claims("eve", oid=OID, tid=TENANT)
    attacker = open_session(Client(), UserFactory())
    address = callback_of(entra.sign_in(start(attacker, "entra"), "eve"))
    victim = open_session(Client(), operator)

    answer = victim.get(address)

    assert answer.status_code == 403
    assert not SocialAccount.objects.exists()


def test_a_disabled_account_is_not_signed_in(
    entra: OpenIdProvider, alice: str, operator: User
) -> None:
    User.objects.filter(pk=operator.pk).update(is_active=False)
    client = Client()

    answer = client.get(callback_of(entra.sign_in(start(client, "entra"), alice)), follow=True)

    assert "This account is disabled" in text_of(answer)
    assert client.get("/account/").status_code == 302


def test_an_identity_is_disconnected_on_the_account_page(
    entra: OpenIdProvider, alice: str, operator: User
) -> None:
    client = open_session(Client(), operator)
    identity = SocialAccount.objects.get()
    assert "alice@contoso.com" in text_of(client.get("/account/"))

    client.post("/account/identities/disconnect/", {"identity": identity.pk})

    assert not SocialAccount.objects.exists()


def test_the_only_way_to_sign_in_cannot_be_disconnected(
    entra: OpenIdProvider, alice: str, operator: User, settings: Settings
) -> None:
    settings.LOCAL_PASSWORDS = False
    client = open_session(Client(), operator)
    identity = SocialAccount.objects.get()

    answer = client.post("/account/identities/disconnect/", {"identity": identity.pk}, follow=True)

    assert "only way to sign in" in text_of(answer)
    assert SocialAccount.objects.exists()


def test_a_user_cannot_disconnect_the_identity_of_another(
    entra: OpenIdProvider, alice: str, owner: User
) -> None:
    client = open_session(Client(), owner)

    client.post("/account/identities/disconnect/", {"identity": SocialAccount.objects.get().pk})

    assert SocialAccount.objects.exists()


def test_the_password_still_signs_in_beside_an_identity(
    entra: OpenIdProvider, alice: str, operator: User
) -> None:
    client = Client()

    client.post("/sign-in/", {"username": "olga", "password": PASSWORD})

    assert client.get("/account/").status_code == 200


def test_an_invited_user_creates_an_account_with_an_identity(
    entra: OpenIdProvider, owner: User, workspace: Workspace, settings: Settings
) -> None:
    settings.LOCAL_PASSWORDS = False
    entra.set_claims(
        "nadia",
        oid=OID,
        tid=TENANT,
        preferred_username="nadia@contoso.com",
        name="Nadia Nowak",
        email="else@contoso.com",
    )
    _, token = create_invitation(workspace, "nadia@example.com", by=owner)
    client = Client()
    client.get(f"/invitations/{token}/")
    assert "Sign in with Microsoft" in text_of(client.get("/invitation/"))
    address = start(client, "entra", next="/invitation/")

    answer = client.get(callback_of(entra.sign_in(address, "nadia")))
    client.post("/invitation/")

    user = SocialAccount.objects.get().user
    assert answer["Location"] == "/invitation/"
    assert (user.username, user.email) == ("nadia@contoso.com", "nadia@example.com")
    assert (user.get_full_name(), user.has_usable_password()) == ("Nadia Nowak", False)
    assert workspace.memberships.filter(user=user).exists()


def test_an_invitation_opens_no_existing_account_with_the_name(
    entra: OpenIdProvider, owner: User, operator: User, workspace: Workspace
) -> None:
    entra.set_claims("eve", oid=OID, tid=TENANT, preferred_username="olga", email=operator.email)
    _, token = create_invitation(workspace, "eve@example.com", by=owner)
    client = Client()
    client.get(f"/invitations/{token}/")

    client.get(callback_of(entra.sign_in(start(client, "entra"), "eve")))

    user = SocialAccount.objects.get().user
    assert user != operator
    assert user.username != "olga"


@pytest.mark.parametrize("path", ["/sign-in/start/", "/account/identities/disconnect/"])
def test_changing_identities_needs_a_recent_sign_in(
    entra: OpenIdProvider, alice: str, operator: User, path: str, settings: Settings
) -> None:
    client = open_session(Client(), operator)
    settings.RECENT_SIGN_IN_MINUTES = 0
    form = {"provider": "entra", "identity": SocialAccount.objects.get().pk}

    asked = client.post(path, form)
    answered = client.post(path, form | {"confirm_for": "POST", "confirm_password": PASSWORD})

    assert asked.status_code == 403
    assert "Confirm" in text_of(asked)
    assert answered.status_code == (200 if path == "/sign-in/start/" else 302)


def wait_until_locked(pids: list[int], count: int) -> None:
    """Wait until so many connections, which add their ids to a list, wait for a lock."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid = ANY(%s)",
                [pids],
            )
            if cursor.fetchone()[0] == count:
                return
        time.sleep(0.02)
    raise AssertionError("the requests did not reach the insertion")


def callbacks_at_the_same_time(addresses: list[tuple[Client, str]]) -> list[Any]:
    """Let both requests find no identity before one of them inserts it; return their answers."""
    pids: list[int] = []

    def visit(client: Client, address: str) -> Any:
        pids.append(backend_pid())
        return client.get(address)

    with racing_threads(2) as threads:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("LOCK TABLE socialaccount_socialaccount IN SHARE MODE")
            answers = [threads.submit(partial(visit, *address)) for address in addresses]
            wait_until_locked(pids, 2)
        return [answer.result(20) for answer in answers]


@pytest.mark.race
@pytest.mark.direct  # it waits for the process numbers of its connections
@pytest.mark.django_db(transaction=True)
def test_two_first_sign_ins_at_the_same_time_create_one_account(
    entra: OpenIdProvider, owner: User, workspace: Workspace
) -> None:
    entra.set_claims("nadia", oid=OID, tid=TENANT, preferred_username="nadia", groups=["ops"])
    GroupRole.objects.create(workspace=workspace, provider="entra", group="ops")
    clients = [Client(), Client()]
    addresses = [callback_of(entra.sign_in(start(each, "entra"), "nadia")) for each in clients]

    answers = callbacks_at_the_same_time(list(zip(clients, addresses, strict=True)))

    assert [answer.status_code for answer in answers] == [302, 302]
    user = SocialAccount.objects.get().user
    assert User.objects.exclude(pk=owner.pk).get() == user
    for client in clients:
        assert client.get("/account/").context["user"] == user
    assert workspace.memberships.filter(user=user).count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_connecting_an_identity_twice_at_the_same_time_is_no_error(
    entra: OpenIdProvider, operator: User
) -> None:
    entra.set_claims("alice", oid=OID, tid=TENANT)
    clients = [open_session(Client(), operator) for _ in range(2)]
    addresses = [callback_of(entra.sign_in(start(each, "entra"), "alice")) for each in clients]

    answers = callbacks_at_the_same_time(list(zip(clients, addresses, strict=True)))

    assert [answer["Location"] for answer in answers] == ["/account/", "/account/"]
    assert SocialAccount.objects.get().user == operator
