"""How long the client waits before a retry."""

from __future__ import annotations

import pytest

from providers.graph.retry import RetryPolicy


def test_waits_double_up_to_the_longest_and_then_stop():
    policy = RetryPolicy(attempts=8, first_wait=1, longest_wait=10, budget=1000)

    waits = [
        policy.wait_before(n, retry_after=None, waited=0, chance=lambda: 1) for n in range(2, 10)
    ]

    assert waits == [1, 2, 4, 8, 10, 10, 10, None]


def test_waits_vary_randomly_but_never_below_half():
    policy = RetryPolicy(first_wait=4)

    assert policy.wait_before(2, retry_after=None, waited=0, chance=lambda: 0) == 2
    assert policy.wait_before(2, retry_after=None, waited=0, chance=lambda: 1) == 4


def test_a_wait_is_never_shorter_than_retry_after():
    wait = RetryPolicy().wait_before(2, retry_after=20, waited=0)

    assert wait is not None
    assert 20 <= wait <= 22


@pytest.mark.parametrize("retry_after", [0, 0.2])
def test_a_retry_after_of_next_to_nothing_does_not_retry_at_once(retry_after):
    wait = RetryPolicy(first_wait=1).wait_before(2, retry_after=retry_after, waited=0)

    assert wait is not None
    assert 1 <= wait <= 1.1


@pytest.mark.parametrize(("retry_after", "waited"), [(181, 0), (100, 250), (None, 300)])
def test_a_wait_that_would_take_too_long_is_refused(retry_after, waited):
    assert RetryPolicy().wait_before(2, retry_after=retry_after, waited=waited) is None
