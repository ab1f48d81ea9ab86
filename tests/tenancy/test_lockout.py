"""Wrong passwords lock a name from an address, and an address, for a fixed time."""

from __future__ import annotations

from typing import Any

import pytest
from axes.models import AccessAttempt, AccessFailureLog
from axes.signals import user_locked_out
from django.db import connection
from django.test import Client
from pytest_django import Settings

from tests.support.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

HOME, ELSEWHERE = "203.0.113.7", "203.0.113.8"


def sign_in(username: str, password: str = "wrong", *, address: str = HOME, **headers: str) -> Any:
    return Client(REMOTE_ADDR=address, headers=headers).post(
        "/sign-in/", {"username": username, "password": password}
    )


def fail(times: int, username: str = "olga", **more: str) -> list[int]:
    return [sign_in(username, **more).status_code for _ in range(times)]


def pass_time(minutes: int) -> None:
    """Let the counters be this much older; the clock of the database decides."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE axes_accessattempt SET attempt_time = attempt_time - make_interval(mins => %s)",
            [minutes],
        )


@pytest.fixture(autouse=True)
def olga(operator: Any) -> Any:
    return operator


def test_the_fifth_wrong_password_locks_and_the_right_one_is_refused() -> None:
    assert fail(5) == [200] * 4 + [429]

    refused = sign_in("olga", PASSWORD)

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= 900
    assert "Try again in 15 minutes" in refused.content.decode()


@pytest.mark.parametrize("password", ["wrong", PASSWORD])
def test_tries_during_a_lock_do_not_prolong_it(password: str) -> None:
    fail(5)
    for _ in range(7):
        pass_time(2)
        assert sign_in("olga", password).status_code == 429
    pass_time(1)

    assert sign_in("olga", PASSWORD).status_code == 302


def test_tries_during_a_lock_are_counted() -> None:
    fail(9)

    assert AccessAttempt.objects.get(username="olga").failures_since_start == 9
    assert AccessFailureLog.objects.count() == 5


def test_a_lock_ends_15_minutes_after_it_began_and_then_five_tries_are_free() -> None:
    fail(4)
    pass_time(14)
    fail(1)
    pass_time(14)
    assert sign_in("olga").status_code == 429
    pass_time(1)

    assert fail(5) == [200] * 4 + [429]


def test_failures_are_forgotten_after_15_minutes_or_a_successful_sign_in() -> None:
    fail(4)
    pass_time(15)
    assert fail(4) == [200] * 4

    assert sign_in("olga", PASSWORD).status_code == 302
    assert fail(4) == [200] * 4


def test_another_address_and_another_name_are_not_locked() -> None:
    UserFactory(username="peter")
    fail(5)

    assert sign_in("olga", PASSWORD, address=ELSEWHERE).status_code == 302
    assert sign_in("peter", PASSWORD).status_code == 302


def test_the_spelling_and_the_browser_do_not_give_more_tries() -> None:
    names = ["olga", "Olga", " OLGA ", "oLGA", "olgA"]
    agents = [f"browser {number}" for number in range(5)]

    answers = [
        sign_in(name, **{"User-Agent": agent}).status_code
        for name, agent in zip(names, agents, strict=True)
    ]

    assert answers == [200] * 4 + [429]


def test_an_unknown_name_is_locked_like_a_known_one() -> None:
    unknown = [sign_in("unknown").content for _ in range(6)][4:]
    known = [sign_in("olga").content for _ in range(6)][4:]

    assert unknown == known


def test_an_address_is_locked_across_all_names(settings: Settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 8

    answers = [sign_in(f"user{number}").status_code for number in range(9)]

    assert answers == [200] * 7 + [429] * 2
    assert sign_in("olga", PASSWORD).status_code == 429
    assert sign_in("olga", PASSWORD, address=ELSEWHERE).status_code == 302


def test_signing_in_does_not_clear_the_counter_of_the_address(settings: Settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 8

    for number in range(7):
        sign_in(f"user{number}")
        sign_in("olga", PASSWORD)

    assert sign_in("one more").status_code == 429


def test_tries_from_a_locked_address_do_not_lock_a_name_for_longer(settings: Settings) -> None:
    settings.SIGN_IN_FAILURES_PER_ADDRESS = 3
    fail(3, "someone")
    pass_time(14)
    fail(10)
    pass_time(1)

    assert sign_in("olga", PASSWORD).status_code == 302


def test_the_addresses_of_an_ipv6_network_share_their_limits() -> None:
    answers = [sign_in("olga", address=f"2001:db8::{n:x}").status_code for n in range(1, 6)]

    assert answers == [200] * 4 + [429]
    assert sign_in("olga", PASSWORD, address="2001:db8:0:1::1").status_code == 302


def test_behind_a_proxy_the_forwarded_address_is_locked_and_no_other(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    proxy = "192.0.2.1"

    for number in range(5):
        sign_in("olga", address=proxy, **{"X-Forwarded-For": f"6.6.6.{number}, {HOME}"})
    locked = sign_in("olga", PASSWORD, address=proxy, **{"X-Forwarded-For": HOME})
    other = sign_in("olga", PASSWORD, address=proxy, **{"X-Forwarded-For": ELSEWHERE})

    assert (locked.status_code, other.status_code) == (429, 302)


def test_without_trusted_proxies_a_forwarded_address_means_nothing() -> None:
    answers = [
        sign_in("olga", **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(5)
    ]

    assert answers == [200] * 4 + [429]


def test_every_failure_is_recorded_with_name_and_address_and_stays_after_a_success() -> None:
    fail(2)
    sign_in("olga", PASSWORD)

    failures = AccessFailureLog.objects.order_by("pk").values_list(
        "username", "ip_address", "locked_out"
    )

    assert list(failures) == [("olga", HOME, False)] * 2
    fail(5)
    assert AccessFailureLog.objects.filter(locked_out=True).count() == 1


def test_the_start_of_a_lock_is_announced_once() -> None:
    announced = []

    def receive(**arguments: Any) -> None:
        announced.append((arguments["username"], arguments["ip_address"]))

    user_locked_out.connect(receive)
    try:
        fail(8)
    finally:
        user_locked_out.disconnect(receive)

    assert announced == [("olga", HOME)]


def test_a_peer_without_an_address_is_limited_too() -> None:
    assert fail(5, address="") == [200] * 4 + [429]
