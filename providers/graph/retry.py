"""When to ask again, and how long to wait before: pure arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class RetryPolicy:
    """Bounds of asking again for one request; all times are seconds.

    A server's `Retry-After` is honored up to `longest_retry_after`; what would wait longer, or
    longer than `budget` in all, is given up at once rather than asked again too early.
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
        """Seconds to wait before the given attempt (the first retry is 2), or None: give up."""
        if attempt > self.attempts:
            return None
        if retry_after is None:
            wait = self._backoff(attempt, chance())
        elif retry_after > self.longest_retry_after:
            return None
        else:
            # A little later than asked, so that the workers of one tenant do not return at once.
            wait = retry_after * (1 + 0.1 * chance())
        return wait if waited + wait <= self.budget else None

    def _backoff(self, attempt: int, chance: float) -> float:
        ceiling: float = min(self.longest_wait, self.first_wait * 2 ** (attempt - 2))
        return ceiling * (0.5 + 0.5 * chance)


def parse_retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Seconds of a `Retry-After` header: a number, a number said twice ("7,7"), or a date."""
    if not value:
        return None
    first = value.split(",")[0].strip()
    if first.isascii() and first.replace(".", "", 1).isdigit():
        return min(float(first), 86_400.0)
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - (now or datetime.now(UTC))).total_seconds(), 0.0), 86_400.0)
