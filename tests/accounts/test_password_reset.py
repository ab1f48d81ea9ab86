"""Reset of a forgotten password by email, without saying which addresses have an account."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import PasswordReset, Session
from accounts.password_reset.services import send_requested
from accounts.tasks import send_password_resets
from tenancy.models import User
from tests.support.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW = "staple battery horse correct"
ADDRESS = "/sign-in/reset/"


def ask(email: str = "olga@example.com") -> Any:
    return Client().post(ADDRESS, {"email": email})


def link_of(message: Any) -> str:
    match = re.search(r"http://testserver(\S+)", message.body)
    assert match, message.body
    return match[1]


def requested_link(email: str = "olga@example.com") -> str:
    ask(email)
    send_requested()
    return link_of(mail.outbox[-1])


def set_password(client: Client, link: str, password: str = NEW, repeat: str = "") -> Any:
    form_address = client.get(link)["Location"]
    return client.post(
        form_address, {"new_password1": password, "new_password2": repeat or password}
    )


def can_sign_in(user: User, password: str) -> bool:
    client = Client()
    client.post("/sign-in/", {"username": user.username, "password": password})
    return client.get("/account/").status_code == 200


def test_the_link_of_the_message_sets_a_new_password(operator: User) -> None:
    answer = set_password(Client(), requested_link())

    assert answer["Location"] == "/sign-in/"
    assert can_sign_in(operator, NEW)
    assert not can_sign_in(operator, PASSWORD)


def test_a_new_password_ends_every_session_and_signs_no_one_in(operator: User) -> None:
    other = Client()
    other.post("/sign-in/", {"username": "olga", "password": PASSWORD})
    client = Client()

    set_password(client, requested_link())

    assert other.get("/account/").status_code == 302
    assert client.get("/account/").status_code == 302
    assert not Session.objects.filter(user=operator).exists() or (
        other.get("/account/").status_code == 302
    )


def test_the_user_is_notified_by_email(operator: User) -> None:
    set_password(Client(), requested_link())

    assert [message.subject for message in mail.outbox] == [
        "Reset your Runledger password",
        "The sign-in to your Runledger account has changed",
    ]
    assert {tuple(message.to) for message in mail.outbox} == {("olga@example.com",)}


def test_the_answer_does_not_depend_on_the_account(operator: User) -> None:
    """Neither the page nor the statements, and so not the time either."""
    answers, statements = [], []
    for email in ("olga@example.com", "no-one@example.com"):
        with CaptureQueriesContext(connection) as captured:
            answers.append(ask(email))
        text = "\n".join(query["sql"] for query in captured)
        statements.append(re.sub(r"'[^']*'", "?", text))

    assert [answer["Location"] for answer in answers] == ["/sign-in/"] * 2
    # The second in which a cookie was signed follows its content.
    contents = [answer.cookies["messages"].value.partition(":")[0] for answer in answers]
    assert contents[0] == contents[1]
    assert statements[0] == statements[1]
    assert "users" not in statements[0]
    assert mail.outbox == []


@pytest.mark.parametrize("email", ["OLGA@Example.com", "olga@EXAMPLE.COM"])
def test_the_address_may_be_written_in_another_case(operator: User, email: str) -> None:
    requested_link(email)

    assert mail.outbox[0].to == ["olga@example.com"]


def test_a_similar_address_of_another_alphabet_gets_nothing(operator: User) -> None:
    ask("\u03bflga@example.com")
    send_requested()

    assert mail.outbox == []


def test_each_account_of_an_address_gets_its_link(operator: User) -> None:
    UserFactory(username="second", email="olga@example.com")
    ask()

    send_requested()

    assert ["account olga" in str(message.body) for message in mail.outbox] == [True, False]
    assert "account second" in str(mail.outbox[1].body)


@pytest.mark.parametrize("change", ["inactive", "without a password", "no local passwords"])
def test_an_account_that_cannot_use_a_password_gets_nothing(
    operator: User, settings: Settings, change: str
) -> None:
    if change == "inactive":
        operator.is_active = False
    if change == "without a password":
        operator.set_unusable_password()
    operator.save()
    ask()
    settings.LOCAL_PASSWORDS = change != "no local passwords"

    send_requested()

    assert mail.outbox == []
    assert PasswordReset.objects.get().handled_at


def test_a_link_works_once(operator: User) -> None:
    link = requested_link()
    set_password(Client(), link)

    again = Client().get(link)

    assert again.status_code == 404
    assert "This link has expired or has been used" in again.content.decode()


def test_a_link_expires(operator: User, settings: Settings) -> None:
    link = requested_link()
    settings.PASSWORD_RESET_TIMEOUT = -1

    assert Client().get(link).status_code == 404


def test_a_new_address_of_the_account_ends_the_link(operator: User) -> None:
    link = requested_link()
    User.objects.filter(pk=operator.pk).update(email="other@example.com")

    assert Client().get(link).status_code == 404


@pytest.mark.parametrize("link", ["x/y", "MQ/set-password", "%00/%00", "MQ/" + "x" * 3000])
def test_an_invented_link_is_not_valid(link: str) -> None:
    assert Client().get(f"{ADDRESS}{link}/").status_code == 404


@pytest.mark.parametrize(
    ("password", "repeat", "text"),
    [("12345678", "", "too common"), (NEW, "other words entirely", "two password fields")],
)
def test_a_refused_password_changes_nothing(
    operator: User, password: str, repeat: str, text: str
) -> None:
    answer = set_password(Client(), requested_link(), password, repeat)

    assert answer.status_code == 400
    assert text in answer.content.decode()
    assert can_sign_in(operator, PASSWORD)


def test_the_key_is_in_no_address_of_the_form(operator: User) -> None:
    link = requested_link()

    address = Client().get(link)["Location"]

    assert link.rstrip("/").rpartition("/")[2] not in address


def test_an_address_gets_three_links_an_hour(operator: User) -> None:
    answers = [ask() for _ in range(5)]

    assert len({answer["Location"] for answer in answers}) == 1
    assert PasswordReset.objects.count() == 3
    ask("OLGA@example.com")
    assert PasswordReset.objects.count() == 3
    ask("another@example.com")
    assert PasswordReset.objects.count() == 4


def test_too_many_waiting_requests_are_dropped(db: None) -> None:
    PasswordReset.objects.bulk_create(
        PasswordReset(email=f"{number}@example.com", site="https://x") for number in range(1000)
    )

    answer = ask()

    assert answer.status_code == 302
    assert PasswordReset.objects.count() == 1000


def test_a_mail_server_that_is_down_delays_the_link(operator: User, settings: Settings) -> None:
    ask()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", 1

    send_requested()
    assert PasswordReset.objects.get().handled_at is None
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    send_requested()

    assert len(mail.outbox) == 1


def test_a_request_is_handled_once_and_given_up_after_an_hour(operator: User) -> None:
    ask()
    send_requested()
    send_requested()
    assert len(mail.outbox) == 1

    PasswordReset.objects.update(
        handled_at=None, requested_at=F("requested_at") - dt.timedelta(hours=2)
    )
    send_requested()

    assert len(mail.outbox) == 1


def test_old_requests_are_deleted(operator: User) -> None:
    ask()
    PasswordReset.objects.update(requested_at=Now() - dt.timedelta(days=2))

    send_requested()

    assert not PasswordReset.objects.exists()


def test_the_tick_sends_the_links(operator: User) -> None:
    ask()

    send_password_resets()

    assert len(mail.outbox) == 1


@pytest.mark.parametrize("email", ["", "x", "a@b", "\0@example.com", "x" * 300 + "@example.com"])
def test_something_else_than_an_address_is_refused(db: None, email: str) -> None:
    answer = ask(email)

    assert answer.status_code == 400
    assert not PasswordReset.objects.exists()


def test_without_local_passwords_there_is_nothing_to_reset(
    operator: User, settings: Settings
) -> None:
    link = requested_link()
    settings.LOCAL_PASSWORDS = False

    assert ask().status_code == 404
    assert Client().get(link).status_code == 404
    assert "Forgot your password" not in Client().get("/sign-in/").content.decode()
