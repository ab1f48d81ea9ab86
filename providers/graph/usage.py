"""Counts the requests to Microsoft Graph, for the metrics of the installation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

#: A counter with its labels and what is added to it.
Counted = tuple[str, Mapping[str, str], float]
#: Counts are handed on at least this often, so that a lost worker loses little.
FLUSH_SECONDS = 15.0


class Usage:
    """What a client has sent and waited for since the last flush.

    Any thread may count. `flush` is called by the thread of the run, because it uses the database.
    """

    def __init__(self, record: Callable[[Iterable[Counted]], None] | None = None) -> None:
        self._record = record
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._waits: dict[str, float] = {}
        self._flushed_at = time.monotonic()

    def add_request(self, method: str, status: int | None) -> None:
        """Count a request and its status; None if there was no response."""
        with self._lock:
            self._counts["graph_requests", method, str(status or "none")] += 1

    def add_throttled(self) -> None:
        """Count a request that Microsoft throttled, alone or in a batch."""
        with self._lock:
            self._counts["graph_throttled", "", ""] += 1

    def add_wait(self, reason: str, seconds: float) -> None:
        """Count seconds that a request waits before it is sent."""
        if seconds > 0:
            with self._lock:
                self._waits[reason] = self._waits.get(reason, 0.0) + seconds

    def flush_if_due(self) -> None:
        """Hand the counts on if the last time is long enough ago."""
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hand the counts on."""
        self._flushed_at = time.monotonic()
        with self._lock:
            counts, self._counts = self._counts, Counter()
            waits, self._waits = self._waits, {}
        if self._record and (counts or waits):
            self._record(_entries(counts, waits))


def _entries(
    counts: Counter[tuple[str, str, str]], waits: Mapping[str, float]
) -> Iterable[Counted]:
    for (name, method, status), count in counts.items():
        yield name, {"method": method, "status": status} if method else {}, count
    for reason, seconds in waits.items():
        yield "graph_wait_seconds", {"reason": reason}, round(seconds, 3)
