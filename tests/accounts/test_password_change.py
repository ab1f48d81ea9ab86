"""Changing one's own password."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tenancy.models import User
from tests.support.factories import PASSWORD

pytestmark = pytest.mark.django_db

NEW = "staple battery horse correct"
ADDRESS = "/account/password/"


def sign_in(user: User, password: str = PASSWORD) -> Client:
    client = Client()
    client.post("/sign-in/", {"username": user.username, "password": password})
    return client


def change(client: Client, *, old: str = PASSWORD, new: str = NEW, repeat: str = "") -> Any:
    form = {"old_password": old, "new_password1": new, "new_password2": repeat or new}
    return client.post(ADDRESS, form)


def test_a_new_password_replaces_the_old_one(operator: User) -> None:
    answer = change(sign_in(operator))

    assert answer["Location"] == "/account/"
    assert sign_in(operator, NEW).get("/account/").status_code == 200
    assert sign_in(operator).get("/account/").status_code == 302


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(operator: User) -> None:
    client, other = sign_in(operator), sign_in(operator)

    change(client)

    page = client.get("/account/")
    assert page.status_code == 200
    assert "Your password has been changed" in page.content.decode()
    assert other.get("/account/").status_code == 302


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"old": "wrong"}, "The current password is incorrect"),
        ({"new": "12345678"}, "too common"),
        ({"new": "olga"}, "too short"),
        ({"repeat": "another long password"}, "two password fields"),
        ({"new": "\0" * 12}, "Null characters"),
    ],
)
def test_a_refused_password_changes_nothing(
    operator: User, form: dict[str, str], text: str
) -> None:
    answer = change(sign_in(operator), **form)

    assert answer.status_code == 400
    assert text in answer.content.decode()
    assert sign_in(operator).get("/account/").status_code == 200


def test_guessing_the_current_password_is_locked_like_a_sign_in(operator: User) -> None:
    client = sign_in(operator)

    statuses = [change(client, old=f"wrong {number}").status_code for number in range(6)]

    assert statuses[:4] == [400] * 4
    assert statuses[-1] == 429
    assert change(client).status_code == 429


def test_a_user_without_a_password_cannot_change_it(client: Client, operator: User) -> None:
    operator.set_unusable_password()
    operator.save()
    client.force_login(operator)

    assert client.get(ADDRESS).status_code == 404
    assert "Change password" not in client.get("/account/").content.decode()


def test_local_passwords_can_be_disabled(operator: User, settings: Any) -> None:
    client = sign_in(operator)
    settings.LOCAL_PASSWORDS = False

    assert sign_in(operator).get("/account/").status_code == 302
    assert client.get("/account/").status_code == 200
    assert client.get(ADDRESS).status_code == 404
