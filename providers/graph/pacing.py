"""Limits the rate of requests per connection and kind of endpoint to what Microsoft allows.

The limits apply within one process. The workers that use one connection at the same time divide them
by their number, which is the `share` of each. A limit that is exceeded anyway, such as by other apps,
is enforced by Microsoft, whose `Retry-After` slows the requests down.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings

#: Minimum seconds between two requests under a path. Conditional access allows one request per
#: second and tenant for all apps together, and its 429 response has no Retry-After.
INTERVALS: dict[str, float] = {"/identity/conditionalAccess/": 1.0}


@dataclass(frozen=True)
class Quota:
    """The most requests under some paths within any period of `seconds`."""

    requests: int
    seconds: float


#: A tenth less than what Microsoft documents for each app and tenant: 1,000 requests in 20 seconds
#: for each of the two services of device configuration. The other services allow more.
_DEVICE_CONFIGURATION = Quota(900, 20.0)
QUOTAS: dict[str, Quota] = {
    "/deviceManagement/configurationPolicies": _DEVICE_CONFIGURATION,
    "/deviceManagement/": _DEVICE_CONFIGURATION,
    "/deviceAppManagement/": _DEVICE_CONFIGURATION,
}


def configured_intervals() -> Mapping[str, float]:
    """Return `GRAPH_INTERVALS` of the settings, by default the table above."""
    return getattr(settings, "GRAPH_INTERVALS", INTERVALS)


class Pacer:
    """Spaces the requests under each path. Thread-safe."""

    def __init__(
        self,
        intervals: Mapping[str, float] = INTERVALS,
        quotas: Mapping[str, Quota] = QUOTAS,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._intervals = dict(intervals)
        self._quotas = dict(quotas)
        self._clock = clock
        self._next: dict[str, float] = {}
        self._slots: dict[str, deque[float]] = {prefix: deque() for prefix in quotas}
        self._lock = threading.Lock()
        #: The number of clients, of all workers, that divide the limits among them.
        self.share = 1

    def is_paced(self, path: str) -> bool:
        """Return whether the requests under this path must keep a distance in time."""
        return _prefix_of(path, self._intervals) is not None

    def delay(self, path: str) -> float:
        """Reserve the next time slot for this path. Return the seconds until then."""
        interval, quota = _prefix_of(path, self._intervals), _prefix_of(path, self._quotas)
        with self._lock:
            now = slot = self._clock()
            if interval is not None:
                slot = max(slot, self._next.get(interval, slot))
                self._next[interval] = slot + self._intervals[interval] * self.share
            if quota is not None:
                slot = self._reserve(quota, slot)
        return slot - now

    def _reserve(self, prefix: str, slot: float) -> float:
        """Reserve a slot of a quota, not before the given one."""
        quota, slots = self._quotas[prefix], self._slots[prefix]
        most = max(1, quota.requests // self.share)
        if len(slots) >= most:
            slot = max(slot, slots[-most] + quota.seconds)
        slots.append(slot)
        while len(slots) > quota.requests:
            slots.popleft()
        return slot


def _prefix_of(path: str, table: Mapping[str, object]) -> str | None:
    return next((prefix for prefix in table if prefix in path), None)


_PACERS: dict[object, Pacer] = {}
_PACERS_LOCK = threading.Lock()


def pacer_for(key: object) -> Pacer:
    """Return the pacer that all clients of this connection in this process share."""
    with _PACERS_LOCK:
        if key not in _PACERS:
            _PACERS[key] = Pacer(configured_intervals())
        return _PACERS[key]
