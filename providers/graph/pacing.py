"""Limits the requests of a connection to what Microsoft allows each app, service by service.

The workers that use a connection share its pace; see `providers.shared_pace`. A limit that is exceeded
anyway, such as by other apps, is enforced by Microsoft, whose `Retry-After` then stops every request of
the connection.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from django.conf import settings


@dataclass(frozen=True)
class Quota:
    """The most requests under some paths within any period of `seconds`."""

    requests: int
    seconds: float


#: Microsoft documents 1,000 requests in 20 seconds for each app and tenant, for each of the two services
#: of device configuration. A tenth of each limit is left to what this table does not see.
_DEVICE_CONFIGURATION = Quota(900, 20.0)
#: By a part of the path; the first one that matches counts. Conditional access allows one request per
#: second and tenant for all apps together, and its 429 response has no Retry-After. A small directory has
#: 3,500 units in 10 seconds, of which reading a group costs up to three.
QUOTAS: dict[str, Quota] = {
    "/identity/conditionalAccess/": Quota(1, 1.0),
    "/deviceManagement/configurationPolicies": _DEVICE_CONFIGURATION,
    "/deviceManagement/": _DEVICE_CONFIGURATION,
    "/deviceAppManagement/": _DEVICE_CONFIGURATION,
    "/groups": Quota(1000, 10.0),
}
#: The most seconds that a request waits for its pace. A time that is further ahead was stored before the
#: clock was set back.
LONGEST_DELAY = 600.0


def configured_quotas() -> Mapping[str, Quota]:
    """Return `GRAPH_QUOTAS` of the settings, by default the table above."""
    return getattr(settings, "GRAPH_QUOTAS", QUOTAS)


@dataclass
class Pace:
    """What a connection has sent recently, in seconds of one clock.

    `sent` maps a key of the quotas to the times of requests and their numbers, in order.
    """

    sent: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    not_before: float = 0.0

    def reserve(self, counts: Mapping[str, int], quotas: Mapping[str, Quota], now: float) -> float:
        """Reserve the earliest time for these numbers of requests; return it."""
        slot = max(now, self.not_before)
        for key, count in counts.items():
            slot = max(slot, _earliest(self.sent.get(key, []), count, quotas[key]))
        if slot > now + LONGEST_DELAY:
            self.sent, self.not_before, slot = {}, 0.0, now
        for key, count in counts.items():
            start = now - quotas[key].seconds
            recent = [each for each in self.sent.get(key, []) if each[0] > start]
            self.sent[key] = [*recent, (slot, count)]
        return slot


def _earliest(sent: list[tuple[float, int]], count: int, quota: Quota) -> float:
    """Return when `count` more requests are within the quota, and not before those already sent."""
    if not sent:
        return 0.0
    total = count
    for at, number in reversed(sent):
        total += number
        if total > quota.requests:
            return max(at + quota.seconds, sent[-1][0])
    return sent[-1][0]


class Shared(Protocol):
    """Opens the pace of a connection for a change, with the present time."""

    def open(self) -> AbstractContextManager[tuple[Pace, float]]: ...


class LocalPace:
    """A pace within this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pace = Pace()

    @contextmanager
    def open(self) -> Iterator[tuple[Pace, float]]:
        with self._lock:
            yield self._pace, self._clock()


class Pacer:
    """Decides when the requests of a connection may be sent."""

    def __init__(
        self, quotas: Mapping[str, Quota] | None = None, shared: Shared | None = None
    ) -> None:
        self._quotas = dict(QUOTAS if quotas is None else quotas)
        self._shared = shared or LocalPace()

    def is_single(self, path: str) -> bool:
        """Return whether the requests under this path may only be sent one at a time."""
        key = self._key_of(path)
        return key is not None and self._quotas[key].requests == 1

    def delay(self, paths: Iterable[str]) -> float:
        """Reserve the next time slot for requests that are sent together; return the seconds until it."""
        return self.reserve(paths)[0]

    def reserve(self, paths: Iterable[str]) -> tuple[float, bool]:
        """Reserve as `delay` does; also return whether a pause of the connection is the reason."""
        counts = Counter(key for path in paths if (key := self._key_of(path)))
        with self._shared.open() as (pace, now):
            slot = pace.reserve(counts, self._quotas, now)
            return slot - now, now < slot <= pace.not_before

    def pause(self, seconds: float) -> None:
        """Let every request of the connection wait this long."""
        with self._shared.open() as (pace, now):
            pace.not_before = max(pace.not_before, now + seconds)

    def _key_of(self, path: str) -> str | None:
        return next((key for key in self._quotas if key in path), None)
