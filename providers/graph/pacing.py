"""Limits the rate of requests per connection and kind of endpoint to what Microsoft allows.

The limit applies within one process. Several workers on one tenant can exceed it together; then
`Retry-After` slows them down.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from django.conf import settings

#: Minimum seconds between two requests under a path. Conditional access allows one request per
#: second and tenant for all apps together, and its 429 response has no Retry-After.
INTERVALS: dict[str, float] = {"/identity/conditionalAccess/": 1.0}


def configured_intervals() -> Mapping[str, float]:
    """Return `GRAPH_INTERVALS` of the settings, by default the table above."""
    return getattr(settings, "GRAPH_INTERVALS", INTERVALS)


class Pacer:
    """Spaces the requests under each path. Thread-safe."""

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
        """Reserve the next time slot for this path. Return the seconds until then."""
        prefix = next((prefix for prefix in self._intervals if prefix in path), None)
        if prefix is None:
            return 0.0
        with self._lock:
            now = self._clock()
            slot = max(now, self._next.get(prefix, now))
            self._next[prefix] = slot + self._intervals[prefix]
        return slot - now


_PACERS: dict[object, Pacer] = {}
_PACERS_LOCK = threading.Lock()


def pacer_for(key: object) -> Pacer:
    """Return the pacer that all clients of this connection in this process share."""
    with _PACERS_LOCK:
        if key not in _PACERS:
            _PACERS[key] = Pacer(configured_intervals())
        return _PACERS[key]
