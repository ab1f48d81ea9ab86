"""Watches the database during a campaign: ticks, and two active runs of one identity."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
from dataclasses import dataclass

from django.db import Error, connection

SECONDS = 0.5
_ACTIVE_TWICE = """
SELECT string_agg(id::text, ' and ' ORDER BY id) FROM operation_runs
WHERE status IN ('queued', 'running')
GROUP BY tenant_id, workspace_id, run_identity_hash HAVING count(*) > 1
"""
_TICKS = "SELECT name, extract(epoch FROM at)::float FROM operation_ticks WHERE name = ANY(%s)"
#: The ticks that must never stop. Others are due every few minutes only.
NAMES = ("relay", "reconciler", "schedules", "restores")
#: A tick is recent for this long; the ticks are due every few seconds.
RECENT_SECONDS = 8.0


@dataclass(frozen=True)
class Gap:
    """The time between two ticks of one name, as seconds since the epoch."""

    name: str
    began_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.began_at

    @property
    def began(self) -> str:
        """The time of its first second in UTC, as in the logs."""
        return f"{dt.datetime.fromtimestamp(self.began_at, dt.UTC):%H:%M:%S}"


class Watcher:
    """Reads the database in a thread, again and again, until it is stopped."""

    def __init__(self) -> None:
        self.seen_twice: set[str] = set()
        self.reads = 0
        self._started_at = self._stopped_at = time.time()
        self._ticks: dict[str, set[float]] = {name: set() for name in NAMES}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait_for_ticks(self, seconds: float) -> None:
        """Wait for the first tick, at most this long; only from then on, a gap counts."""
        deadline = time.monotonic() + seconds
        while not self.ticks and time.monotonic() < deadline:
            time.sleep(0.2)
        self._started_at = time.time()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._stopped_at = time.time()

    @property
    def ticks(self) -> int:
        """The number of ticks that were seen."""
        return sum(len(times) for times in self._ticks.values())

    def ticks_run(self) -> bool:
        """Whether each of the ticks ran within the last seconds."""
        last = [max(seen, default=0.0) for seen in self._ticks.values()]
        return min(last) > time.time() - RECENT_SECONDS

    def longest_gap(self) -> Gap:
        """Return the longest time in which one of the ticks did not run."""
        gaps = []
        for name, seen in self._ticks.items():
            during = [at for at in seen if at > self._started_at]
            times = [self._started_at, *sorted(during), self._stopped_at]
            gaps += [Gap(name, began, ended) for began, ended in itertools.pairwise(times)]
        return max(gaps, key=lambda gap: gap.seconds)

    def _watch(self) -> None:
        while not self._stopped.wait(SECONDS):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(_ACTIVE_TWICE)
                    self.seen_twice.update(pair for (pair,) in cursor.fetchall())
                    cursor.execute(_TICKS, [list(NAMES)])
                    for name, at in cursor.fetchall():
                        self._ticks[name].add(at)
                self.reads += 1
            except Error:
                connection.close()
        connection.close()
