"""Decides whether a request is retried and how long to wait before: pure arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """The limits for the retries of one request; all times are in seconds.

    `Retry-After` is honored up to `longest_retry_after`. A request that would wait longer, or
    longer than `budget` in total, fails at once instead of being retried too early. A shorter one
    than `first_wait`, such as 0 or a date in the past, lets the request wait that long.
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
            wait = max(retry_after, self.first_wait) * (1 + 0.1 * chance())
        if waited + wait > self.budget:
            return None
        return wait
