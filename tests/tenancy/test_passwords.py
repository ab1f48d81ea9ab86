"""Passwords are hashed with Argon2, a few at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

import pytest
from django.conf import settings as project_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.test import Client
from pytest_django import Settings

from config.settings import base
from tenancy import passwords
from tenancy.models import User, Workspace
from tenancy.passwords import PasswordSlots, TooManyPasswords, password_slots
from tests.support.factories import PASSWORD
from tests.support.factories.accounts import create_invitation, make_sign_in_older
from tests.support.sessions import open_session

INVITE = "/w/contoso/invitations/new/"


@pytest.fixture(autouse=True)
def product_hashers(settings: Settings) -> Iterator[None]:
    """Use the hashers of the product; the tests have a fast one."""
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    password_slots.cache_clear()
    yield
    password_slots.cache_clear()


def sign_in(password: str = PASSWORD) -> int:
    answer = Client().post("/sign-in/", {"username": "olga", "password": password})
    return answer.status_code


def test_a_new_password_is_hashed_with_argon2() -> None:
    encoded = make_password("correct horse")

    assert encoded.startswith("argon2$argon2id$v=19$m=65536,t=2,p=1$")
    assert check_password("correct horse", encoded)
    assert not check_password("wrong", encoded)


def test_a_hash_of_an_earlier_version_works_and_is_replaced_by_a_sign_in(operator: User) -> None:
    operator.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt" * 6, 1000)
    operator.save()

    assert sign_in("wrong") == 200
    operator.refresh_from_db()
    assert operator.password.startswith("pbkdf2_sha256$")

    assert sign_in() == 302
    operator.refresh_from_db()
    assert operator.password.startswith("argon2$")
    assert sign_in() == 302


@contextmanager
def occupied(slots: PasswordSlots) -> Iterator[None]:
    """Occupy the only slot."""
    started, ending = threading.Event(), threading.Event()

    def check() -> None:
        started.set()
        ending.wait(60)

    with ThreadPoolExecutor(1) as other:
        running = other.submit(slots.run, check)
        started.wait(60)
        try:
            yield
        finally:
            ending.set()
        running.result()


def test_a_request_without_a_free_place_is_refused_at_once() -> None:
    slots = PasswordSlots(slots=1, places=0)

    with occupied(slots), pytest.raises(TooManyPasswords):
        slots.run(int)

    assert slots.run(int) == 0


def test_a_request_waits_for_a_slot_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    slots, order = PasswordSlots(slots=1, places=1), []

    with ThreadPoolExecutor(1) as other:
        with occupied(slots):
            waiting = other.submit(slots.run, lambda: order.append("second"))
            wait([waiting], timeout=0.2)
            order.append("first")
        waiting.result()
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.05)
    with occupied(slots), pytest.raises(TooManyPasswords):
        slots.run(int)

    assert order == ["first", "second"]


def test_a_failing_check_frees_its_slot() -> None:
    slots = PasswordSlots(slots=1, places=0)

    with pytest.raises(ZeroDivisionError):
        slots.run(lambda: 1 // 0)

    assert slots.run(int) == 0


def test_pages_go_before_checks() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()

    assert PasswordSlots(slots=1, places=0).run(priority) == max(before, passwords.NICENESS)
    assert priority() == before


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_without_capacity_a_sign_in_is_asked_to_try_again(
    operator: User, settings: Settings, password: str
) -> None:
    operator.set_password(PASSWORD)
    operator.save()
    settings.PASSWORD_CHECKS_WAITING = 0
    password_slots.cache_clear()

    with occupied(password_slots()):
        answer = Client().post("/sign-in/", {"username": "olga", "password": password})
        page = Client().get("/sign-in/")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert "Too many sign-ins at once" in answer.content.decode()
    assert page.status_code == 200
    assert sign_in() == 302


def test_an_unknown_name_needs_capacity_too(db: None, settings: Settings) -> None:
    settings.PASSWORD_CHECKS_WAITING = 0
    password_slots.cache_clear()

    with occupied(password_slots()):
        assert sign_in() == 503


def test_every_hasher_of_the_product_is_limited() -> None:
    assert project_settings.PASSWORD_HASHERS == base.PASSWORD_HASHERS
    assert all(name.startswith("tenancy.passwords.") for name in base.PASSWORD_HASHERS)


def test_the_account_of_an_invitation_needs_capacity_too(
    workspace: Workspace, settings: Settings
) -> None:
    settings.PASSWORD_CHECKS_WAITING = 0
    password_slots.cache_clear()
    _, token = create_invitation(workspace)
    client = Client()
    client.get(f"/invitations/{token}/")
    account = {"username": "nadia", "password1": PASSWORD, "password2": PASSWORD}

    with occupied(password_slots()):
        refused = client.post("/invitation/", account)
    assert refused.status_code == 503
    assert not User.objects.exists()

    assert client.post("/invitation/", account).status_code == 302


def test_a_confirmation_without_capacity_keeps_what_was_entered(
    owner: User, settings: Settings
) -> None:
    owner.set_password(PASSWORD)
    owner.save()
    client = open_session(Client(), owner)
    make_sign_in_older(owner, 3600)
    settings.PASSWORD_CHECKS_WAITING = 0
    password_slots.cache_clear()
    form = {"email": "nadia@example.com", "role": "reader", "confirm_for": "POST"}

    with occupied(password_slots()):
        refused = client.post(INVITE, form | {"confirm_password": PASSWORD})
    assert refused.status_code == 403
    assert "Try again in a few seconds" in refused.content.decode()
    assert "nadia@example.com" in refused.content.decode()

    assert client.post(INVITE, form | {"confirm_password": PASSWORD}).status_code == 302
