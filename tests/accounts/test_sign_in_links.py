"""The link with which an administrator lets a user in when nothing else works."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import SignInLink
from accounts.sign_in_links.services import create_link, use_link
from tenancy.models import User

pytestmark = pytest.mark.django_db


def printed_link(*arguments: str) -> str:
    output = StringIO()
    call_command("sign_in_link", *arguments, stdout=output)
    return output.getvalue().strip()


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_printed_link_signs_in_once(operator: User, settings: Settings) -> None:
    settings.LOCAL_PASSWORDS = False
    link = printed_link("olga")
    client, other = Client(), Client()

    page = client.get(link)
    answer = client.post(link)
    again = other.post(link)

    assert "olga" in page.content.decode()
    assert answer.status_code == 302
    assert client.get("/account/").context["user"] == operator
    assert again.status_code == 404
    assert not is_signed_in(other)


def test_opening_the_link_does_not_use_it(operator: User) -> None:
    link = printed_link("olga")
    client = Client()

    for _ in range(3):
        assert client.get(link).status_code == 200

    assert not is_signed_in(client)
    client.post(link)
    assert is_signed_in(client)


def test_the_link_can_have_the_address_of_the_site(operator: User) -> None:
    assert printed_link("olga", "--url", "https://runs.example.com/").startswith(
        "https://runs.example.com/sign-in/link/"
    )


def test_the_link_is_not_stored(operator: User) -> None:
    token = printed_link("olga").rstrip("/").rpartition("/")[2]

    (row,) = SignInLink.objects.values()

    assert token not in str(row)


def test_a_link_expires(operator: User) -> None:
    token = create_link(operator, minutes=0)

    assert Client().get(f"/sign-in/link/{token}/").status_code == 404
    assert use_link(token) is None


def test_a_disabled_account_cannot_use_a_link(operator: User) -> None:
    token = create_link(operator, minutes=15)
    User.objects.filter(pk=operator.pk).update(is_active=False)

    assert use_link(token) is None


@pytest.mark.parametrize("token", ["x", "unknown", "%00", "x" * 3000])
def test_an_invented_link_is_not_valid(token: str) -> None:
    for answer in (
        Client().get(f"/sign-in/link/{token}/"),
        Client().post(f"/sign-in/link/{token}/"),
    ):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    "arguments", [["unknown"], ["olga", "--minutes", "0"], ["olga", "--minutes", "61"]]
)
def test_the_command_refuses_what_makes_no_sense(operator: User, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        printed_link(*arguments)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("expires_at = expires_at + interval '1 minute'", "cannot be changed"),
        ("user_id = (SELECT max(id) FROM users)", "cannot be changed"),
        ("link_hash = repeat('0', 64)", "cannot be changed"),
        ("used_at = NULL", "has been used"),
        ("used_at = now() + interval '1 day'", "has been used"),
    ],
)
def test_a_used_link_is_neither_extended_nor_renewed(
    operator: User, stranger: User, assignment: str, message: str
) -> None:
    use_link(create_link(operator, minutes=15))

    with pytest.raises(DatabaseError, match=message), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE sign_in_links SET {assignment}")


def test_a_link_of_a_whole_day_cannot_be_stored(operator: User) -> None:
    with pytest.raises(DatabaseError, match="sign_in_links_short"), transaction.atomic():
        create_link(operator, minutes=int(dt.timedelta(days=1).total_seconds() // 60))
