"""Not asking faster than Microsoft allows, per connection and kind of endpoint.

Within one process only: several workers on one tenant share the limit by chance, and
`Retry-After` settles the rest. The limits are one table, easy to correct.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings

#: Least seconds between two requests under a path. Conditional access allows one request per
#: second and tenant over all apps, and its 429 carries no Retry-After.
INTERVALS: dict[str, float] = {"/identity/conditionalAccess/": 1.0}


def configured_intervals() -> Mapping[str, float]:
    """The table above, or `GRAPH_INTERVALS` where the settings have one."""
    return getattr(settings, "GRAPH_INTERVALS", INTERVALS)


class Pacer:
    """Hands out places in line: a request under a paced path may go at its place."""

    def __init__(
        self,
        intervals: Mapping[str, float] = INTERVALS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intervals = dict(intervals)
        self._clock = clock
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    def delay(self, path: str) -> float:
        """Take the next place for this path and say how many seconds away it is."""
        prefix = next((prefix for prefix in self._intervals if prefix in path), None)
        if prefix is None:
            return 0.0
        with self._lock:
            now = self._clock()
            place = max(now, self._next.get(prefix, now))
            self._next[prefix] = place + self._intervals[prefix]
        return place - now


_PACERS: dict[object, Pacer] = {}
_PACERS_LOCK = threading.Lock()


def pacer_for(key: object) -> Pacer:
    """The pacer that every client of this connection in this process shares."""
    with _PACERS_LOCK:
        if key not in _PACERS:
            _PACERS[key] = Pacer(configured_intervals())
        return _PACERS[key]
