"""The lease of a running run: one thread renews it, another stops the work before it ends.

There are two threads because the renewal can hang if the database does not respond.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
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
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in ((self._renew, "heartbeat"), (self._guard, "lease guard"))
        ]

    def __enter__(self) -> Heartbeat:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()

    def _renew(self) -> None:
        try:
            while not self._ended.wait(settings.RUN_HEARTBEAT_SECONDS):
                if not self._beat():
                    return
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

    def _guard(self) -> None:
        lease = float(settings.RUN_LEASE_SECONDS)
        if self._wait_until_ended(min(SAFETY_SECONDS, lease / 4)):
            return
        self._active.stop(LeaseLost())
        if self._hard_stop and not self._wait_until_ended(min(HARD_SAFETY_SECONDS, lease / 8)):
            self._hard_stop()

    def _wait_until_ended(self, safety: float) -> bool:
        """Wait for the end of the block; return False when `safety` seconds of the lease remain."""
        while (remaining := self._active.remaining_lease() - safety) > 0:
            if self._ended.wait(remaining):
                return True
        return self._ended.is_set()
