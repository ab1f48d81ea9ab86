"""How deliveries of every channel are repeated."""

from __future__ import annotations

import datetime as dt
import time

from django.conf import settings

#: The part of the time between two ticks that a channel may take, and the most seconds.
SHARE_OF_TICK = 1 / 3
MAX_SECONDS = 20
#: The wait after the first failed attempt, and the longest one.
FIRST_WAIT = dt.timedelta(minutes=1)
LONGEST_WAIT = dt.timedelta(hours=1)
#: With these waits, a delivery is given up after a day.
MAX_ATTEMPTS = 30


def ends_at() -> float:
    """Return the monotonic time at which a channel stops, so that the next tick finds it idle."""
    seconds: float = min(settings.TICK_SECONDS * SHARE_OF_TICK, MAX_SECONDS)
    return time.monotonic() + seconds


def wait_after(attempts: int) -> dt.timedelta:
    """Return how long a delivery waits after this number of failed attempts."""
    doubled: dt.timedelta = FIRST_WAIT * 2 ** min(attempts - 1, 16)
    return min(doubled, LONGEST_WAIT)
