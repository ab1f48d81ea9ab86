"""Sessions: how long they last, which a user sees, and how they end."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Permission
from django.contrib.sessions.backends.base import UpdateError
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test import Client
from django.urls import reverse

from accounts.backends import LocalBackend, user_of
from accounts.clients import describe_agent, open_sessions
from accounts.models import Session
from accounts.sessions import SessionStore
from tenancy.models import User
from tenancy.roles import Role
from tests.support.factories import PASSWORD, OperationRunFactory, TenantFactory, UserFactory
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def sign_in(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    client.post("/sign-in/", {"username": user.username, "password": PASSWORD})
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def make_older(user: User, column: str, seconds: int) -> None:
    """Move a time of the sessions of a user to the past, which the guards allow."""
    age = dt.timedelta(seconds=seconds)
    assert Session.objects.filter(user=user).update(**{column: F(column) - age})


def last_seen(user: User) -> dt.datetime:
    return Session.objects.get(user=user).last_seen_at


def test_a_session_ends_after_its_time_however_active_it_is(operator: User) -> None:
    client = sign_in(operator)
    make_older(operator, "expires_at", 12 * 60 * 60 - 5)
    assert is_signed_in(client)

    make_older(operator, "expires_at", 10)

    assert not is_signed_in(client)


def test_saving_a_session_does_not_extend_it(operator: User) -> None:
    sign_in(operator)
    session = Session.objects.get(user=operator)

    store = SessionStore(session.session_key)
    store["anything"] = 1
    store.save()

    after = Session.objects.get(user=operator)
    assert after.session_data != session.session_data
    assert after.expires_at == session.expires_at


def test_a_session_ends_when_it_has_been_idle(operator: User) -> None:
    client = sign_in(operator)
    make_older(operator, "last_seen_at", 2 * 60 * 60 - 5)
    assert is_signed_in(client)

    make_older(operator, "last_seen_at", 2 * 60 * 60 + 5)

    assert not is_signed_in(client)


def test_a_request_is_activity_and_a_live_section_is_not(operator: User) -> None:
    client = sign_in(operator)
    make_older(operator, "last_seen_at", 600)
    idle_since = last_seen(operator)

    client.get("/runs/", headers={"HX-Request": "true"})
    after_live = last_seen(operator)
    client.get("/runs/")

    assert after_live == idle_since
    assert last_seen(operator) - idle_since > dt.timedelta(seconds=590)


def test_session_user_workspace_role_and_menu_need_three_statements(
    operator: User, django_assert_num_queries: Any
) -> None:
    client = open_session(Client(), operator)

    # The fourth one reads what the page is about: the saved views.
    with django_assert_num_queries(4):
        response = client.get("/w/contoso/runs/views/")

    assert response.status_code == 200


def test_the_user_of_a_session_is_the_current_one(operator: User) -> None:
    client = open_session(Client(), operator)
    assert is_signed_in(client)

    User.objects.filter(pk=operator.pk).update(is_active=False)

    assert not is_signed_in(client)


def test_the_role_on_a_page_is_the_current_one(operator: User) -> None:
    client = open_session(Client(), operator)
    address = "/w/contoso/runs/"
    OperationRunFactory(tenant=TenantFactory(workspace=operator.memberships.get().workspace))
    assert "Retry runs" in client.get(address).content.decode()

    operator.memberships.update(role=Role.READER)

    assert "Retry runs" not in client.get(address).content.decode()


def test_the_backend_reads_a_user_that_no_session_has_read(
    operator: User, stranger: User, django_assert_num_queries: Any
) -> None:
    open_session(Client(), operator)
    store = SessionStore(Session.objects.get(user=operator).session_key)
    store.load()

    with user_of(store), django_assert_num_queries(1):
        users = [LocalBackend().get_user(user.pk) for user in (operator, stranger)]

    assert users == [operator, stranger]


def test_activity_is_recorded_once_a_minute(operator: User) -> None:
    client = sign_in(operator)
    make_older(operator, "last_seen_at", 50)
    before = last_seen(operator)

    client.get("/runs/")

    assert last_seen(operator) == before


def test_the_limit_of_idle_time_is_a_setting(operator: User, settings: Any) -> None:
    client = sign_in(operator)
    make_older(operator, "last_seen_at", 90)
    settings.SESSION_IDLE_SECONDS = 60

    assert not is_signed_in(client)


@pytest.mark.parametrize("cookie", ["x", "\0" * 32, "A" * 32, "a" * 31, "a" * 32, "a" * 9000])
def test_an_invented_cookie_is_no_session(cookie: str) -> None:
    assert SessionStore(cookie).load() == {}


def test_a_sign_in_gets_a_new_session(operator: User) -> None:
    client = Client()
    client.get("/sign-in/")
    stranger = SessionStore()
    stranger["planted"] = True
    stranger.create()
    assert stranger.session_key
    client.cookies["sessionid"] = stranger.session_key

    client.post("/sign-in/", {"username": operator.username, "password": PASSWORD})

    assert client.cookies["sessionid"].value != stranger.session_key
    assert not Session.objects.filter(session_key=stranger.session_key).exists()


def test_the_account_page_lists_the_sessions_of_the_user_only(
    operator: User, stranger: User
) -> None:
    client = sign_in(operator, **{"User-Agent": FIREFOX})
    sign_in(operator)
    sign_in(stranger)

    html = client.get("/account/").content.decode()

    assert html.count("This session") == 1
    assert html.count("End session") == 1
    assert "Firefox on Linux" in html
    assert "127.0.0.1" in html


def test_the_page_does_not_contain_the_key_of_a_session(operator: User) -> None:
    client = sign_in(operator)
    sign_in(operator)

    html = client.get("/account/").content.decode()

    for session in Session.objects.filter(user=operator):
        assert session.session_key not in html


def test_a_user_ends_one_other_session(operator: User) -> None:
    client, other, third = sign_in(operator), sign_in(operator), sign_in(operator)
    row = Session.objects.get(session_key=other.cookies["sessionid"].value)

    answer = client.post("/account/sessions/end/", {"session": row.pk}, follow=True)

    assert "The session has ended" in answer.content.decode()
    assert is_signed_in(client)
    assert is_signed_in(third)
    assert not is_signed_in(other)


def test_a_user_cannot_end_the_session_of_another(operator: User, stranger: User) -> None:
    client, foreign = sign_in(operator), sign_in(stranger)
    row = Session.objects.get(user=stranger)

    foreign_page, missing_page = (
        re.sub(
            r'value="\w{64}"|datetime="[^"]*"|data-now="[^"]*"|title="[^"]*"',
            "",
            client.post("/account/sessions/end/", {"session": value}, follow=True).content.decode(),
        )
        for value in (row.pk, 2**50)
    )

    assert is_signed_in(foreign)
    assert foreign_page == missing_page


@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 30, "\uff11", "1.5", "\0"])
def test_any_text_instead_of_a_session_is_refused_politely(operator: User, value: str) -> None:
    answer = sign_in(operator).post("/account/sessions/end/", {"session": value}, follow=True)

    assert "had already ended" in answer.content.decode()


def test_sign_out_everywhere_ends_every_session_of_the_user(operator: User, stranger: User) -> None:
    clients = [sign_in(operator) for _ in range(3)]
    foreign = sign_in(stranger)

    answer = clients[1].post("/account/sessions/end-all/", follow=True)

    assert "signed out on all devices" in answer.content.decode()
    assert [is_signed_in(client) for client in clients] == [False] * 3
    assert is_signed_in(foreign)


def test_a_session_that_is_ended_during_a_request_stays_ended(operator: User) -> None:
    sign_in(operator)
    store = SessionStore(Session.objects.get(user=operator).session_key)
    assert store[SESSION_KEY] == str(operator.pk)
    Session.objects.filter(user=operator).delete()

    store["anything"] = 1

    with pytest.raises(UpdateError):
        store.save()
    assert not Session.objects.filter(user=operator).exists()


def test_clearsessions_deletes_sessions_that_have_ended(operator: User, owner: User) -> None:
    sign_in(operator)
    sign_in(owner)
    make_older(operator, "last_seen_at", 3 * 60 * 60)

    call_command("clearsessions")

    assert [session.user for session in Session.objects.all()] == [owner]


def test_the_current_session_is_listed_first(operator: User) -> None:
    current = open_session(Client(), operator).cookies["sessionid"].value
    make_older(operator, "last_seen_at", 600)
    open_session(Client(), operator)

    sessions = open_sessions(operator, current)

    assert [session.is_current for session in sessions] == [True, False]


@pytest.mark.parametrize(
    ("agent", "text"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/144.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0) Chrome/144.0 Safari/537 Edg/144.0",
            "Microsoft Edge on Windows",
        ),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/604.1", "Safari on iPhone"),
        ("curl/8.5", "Unknown browser"),
        ("", "Unknown browser"),
        ("<script>", "Unknown browser"),
    ],
)
def test_a_browser_is_described_by_name_and_system(agent: str, text: str) -> None:
    assert describe_agent(agent) == text


# --- guards -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("expires_at = expires_at + interval '1 second'", "cannot be extended"),
        ("created_at = now() - interval '1 day'", "cannot be changed"),
        ("session_key = 'x'", "cannot be changed"),
        ("user_id = NULL", "cannot be given to another user"),
        ("user_id = (SELECT max(id) FROM users)", "cannot be given to another user"),
    ],
)
def test_a_session_is_neither_extended_nor_given_away(
    operator: User, stranger: User, assignment: str, message: str
) -> None:
    open_session(Client(), operator)

    with pytest.raises(DatabaseError, match=message), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE sessions SET {assignment}")


def test_the_admin_signs_in_on_the_page_of_the_site(client: Client, operator: User) -> None:
    anonymous = client.get("/admin/", follow=True)
    client.force_login(operator)
    refused = client.get("/admin/", follow=True)

    assert anonymous.redirect_chain[-1][0] == f"{reverse('sign_in')}?next=%2Fadmin%2F"
    assert refused.status_code == 403


def test_support_ends_a_session_and_deletes_an_account_that_has_some(
    client: Client, operator: User, reader: User
) -> None:
    support: User = UserFactory(is_staff=True)
    support.user_permissions.set(
        Permission.objects.filter(codename__in=["delete_user", "delete_membership"])
    )
    client.force_login(support)
    session, other = sign_in(operator), sign_in(reader)
    row = Session.objects.get(user=operator)

    client.post(reverse("admin:accounts_session_delete", args=[row.pk]), {"post": "yes"})
    client.post(reverse("admin:tenancy_user_delete", args=[reader.pk]), {"post": "yes"})

    assert not is_signed_in(session)
    assert not is_signed_in(other)
    assert not User.objects.filter(pk=reader.pk).exists()
