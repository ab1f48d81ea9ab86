"""Decides whether a request is retried and how long to wait before: pure arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """The limits for the retries of one request; all times are in seconds.

    `Retry-After` is honored up to `longest_retry_after`. A request that would wait longer, or
    longer than `budget` in total, fails at once instead of being retried too early.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 30.0
    longest_retry_after: float = 180.0
    budget: float = 300.0

    def wait_before(
        self,
        attempt: int,
        *,
        retry_after: float | None,
        waited: float,
        chance: Callable[[], float] = random.random,
    ) -> float | None:
        """Return the seconds to wait before an attempt (the first retry is 2), or None to give up."""
        if attempt > self.attempts:
            return None
        if retry_after is None:
            ceiling: float = min(self.longest_wait, self.first_wait * 2 ** (attempt - 2))
            wait = ceiling * (0.5 + 0.5 * chance())
        elif retry_after > self.longest_retry_after:
            return None
        else:
            # Up to 10 % later, so that the workers of one tenant do not retry at the same time.
            wait = retry_after * (1 + 0.1 * chance())
        if waited + wait > self.budget:
            return None
        return wait


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a `Retry-After` header: a number, a repeated number ("7,7"), or a date.

    A date counts from the `Date` header of the same response: the clock of this host can be wrong.
    """
    value = headers.get("retry-after")
    if not value:
        return None
    first = value.split(",")[0].strip()
    if first.isascii() and first.replace(".", "", 1).isdigit():
        return min(float(first), 86_400.0)
    at, sent_at = _parse_date(value), _parse_date(headers.get("date", ""))
    if at is None or sent_at is None:
        return None
    return min(max((at - sent_at).total_seconds(), 0.0), 86_400.0)


def _parse_date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
