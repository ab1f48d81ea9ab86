"""The lease of a running run: it is renewed during the work, which stops before a lost lease ends.

One thread of the process, the *lease guard*, watches all of its runs and never waits for the
database. A run that outlives the first interval gets a thread that renews its lease, and that can
hang if the database does not respond. A run that ends sooner starts no thread.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from types import TracebackType

from django.conf import settings
from django.db import Error, connection

from operations.services import OperationRunService, RunNoLongerActive
from operations.worker.active_run import ActiveRun, CancelRequested, LeaseLost

log = logging.getLogger(__name__)

#: Seconds before the end of the lease at which the handler is stopped at its next checkpoint.
SAFETY_SECONDS = 5.0
#: Seconds before the end of the lease at which the process of a handler that hangs is ended. For a
#: short lease, the limits are a quarter and an eighth of the lease instead.
HARD_SAFETY_SECONDS = 2.0
LEASE_LOST_EXIT = 75
#: Seconds until the guard of a run continues after a step that failed.
RECOVERY_SECONDS = 0.5

HardStop = Callable[[], None]


def end_process() -> None:
    """End this process at once. Its run stays `running` until the reconciler ends it."""
    log.error("the lease could not be renewed and the handler did not stop; the process exits")
    os._exit(LEASE_LOST_EXIT)


class Heartbeat:
    """A context manager that renews the lease and stops the handler if that fails for too long.

    If the handler has not stopped `HARD_SAFETY_SECONDS` before the lease ends, `hard_stop` is
    called. The database connection is opened at the first heartbeat, so short runs need none.
    """

    def __init__(self, active: ActiveRun, *, hard_stop: HardStop | None = None) -> None:
        self._active = active
        self._hard_stop = hard_stop
        self._ended = threading.Event()
        self._steps = self._guard()
        #: The monotonic time of the next step of the lease guard.
        self.due_at = -math.inf

    def __str__(self) -> str:
        return f"run {self._active.id}"

    def __enter__(self) -> Heartbeat:
        self.step()
        _lease_guard.watch(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        _lease_guard.release(self)

    def step(self) -> None:
        """Do what the guard of this run does now, and say when the next step is due."""
        self.due_at = next(self._steps, math.inf)

    def recover(self) -> None:
        """Continue after a step that failed: the work still stops before its lease ends."""
        self._steps = self._stop_in_time()
        self.due_at = time.monotonic() + RECOVERY_SECONDS

    def _guard(self) -> Iterator[float]:
        """Start the renewal, then stop the work before a lost lease ends; yield when to continue."""
        safety, _ = self._safety()
        first_beat = time.monotonic() + settings.RUN_HEARTBEAT_SECONDS
        yield min(first_beat, self._lease_ends_at() - safety)
        if self._ended.is_set():
            return
        try:
            threading.Thread(target=self._renew, name="heartbeat", daemon=True).start()
        except RuntimeError:
            log.exception("run %s: its lease cannot be renewed", self._active.id)
        yield from self._stop_in_time()

    def _stop_in_time(self) -> Iterator[float]:
        """Stop the work before the lease ends; yield when to continue."""
        safety, hard_safety = self._safety()
        yield from self._until(safety)
        self._active.stop(LeaseLost())
        yield from self._until(hard_safety)
        if self._hard_stop and not self._ended.is_set():
            self._hard_stop()

    def _until(self, safety: float) -> Iterator[float]:
        """Continue when `safety` seconds of the lease remain."""
        while (at := self._lease_ends_at() - safety) > time.monotonic():
            yield at

    def _safety(self) -> tuple[float, float]:
        lease = float(settings.RUN_LEASE_SECONDS)
        return min(SAFETY_SECONDS, lease / 4), min(HARD_SAFETY_SECONDS, lease / 8)

    def _lease_ends_at(self) -> float:
        return time.monotonic() + self._active.remaining_lease()

    def _renew(self) -> None:
        try:
            while self._beat() and not self._ended.wait(settings.RUN_HEARTBEAT_SECONDS):
                pass
        finally:
            connection.close()

    def _beat(self) -> bool:
        """Renew the lease once; return whether to continue."""
        sent_at = time.monotonic()
        try:
            if OperationRunService().heartbeat(self._active.id):
                self._active.stop(CancelRequested())
        except RunNoLongerActive:
            self._active.stop(LeaseLost())
            return False
        except Error as error:
            log.warning("run %s: heartbeat failed: %s", self._active.id, type(error).__name__)
            connection.close()
            return True
        self._active.record_renewal(sent_at)
        return True


class LeaseGuard:
    """The thread that takes the steps of all heartbeats of this process when they are due.

    It shares no lock with the runs: the soft time limit can interrupt a task anywhere, and a lock
    that stays locked would end the guard of every later run.
    """

    def __init__(self) -> None:
        self._watched: set[Heartbeat] = set()
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        self._wakes_at = math.inf
        self._thread = threading.Thread(target=self._guard, name="lease guard", daemon=True)
        self._starting = threading.Lock()

    def watch(self, heartbeat: Heartbeat) -> None:
        """Take the steps of a heartbeat from now on."""
        if self._thread.ident is None:
            with self._starting:
                if self._thread.ident is None:
                    self._thread.start()
        self._watched.add(heartbeat)
        if heartbeat.due_at < self._wakes_at:
            self._wakeups.put(None)

    def release(self, heartbeat: Heartbeat) -> None:
        """Take no more steps of a heartbeat."""
        self._watched.discard(heartbeat)

    def _guard(self) -> None:
        while True:
            # From here on a new run wakes this thread, until it is known when it wakes by itself.
            self._wakes_at = math.inf
            # The first step of most new runs is not due earlier than this, so they wake no thread.
            idle_until = time.monotonic() + settings.RUN_HEARTBEAT_SECONDS
            self._wakes_at = min([idle_until, *(each.due_at for each in self._watched.copy())])
            with contextlib.suppress(Empty):
                self._wakeups.get(timeout=max(0.0, self._wakes_at - time.monotonic()))
            for heartbeat in self._watched.copy():
                if heartbeat.due_at <= time.monotonic():
                    self._take_step(heartbeat)

    def _take_step(self, heartbeat: Heartbeat) -> None:
        """Take a step of one run; its failure must not end the guard of the others."""
        try:
            heartbeat.step()
        except Exception:
            log.exception("%s: a step of the lease guard failed", heartbeat)
            heartbeat.recover()


_lease_guard = LeaseGuard()


def _new_lease_guard() -> None:
    global _lease_guard  # noqa: PLW0603 - a thread does not survive a fork
    _lease_guard = LeaseGuard()


os.register_at_fork(after_in_child=_new_lease_guard)
