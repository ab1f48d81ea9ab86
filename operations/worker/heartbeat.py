"""The lease of a running run: renewed by one thread, and given up in time by another.

Two threads, because the one that renews may hang in a database that does not answer.
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

#: The work is told to stop this long before others may think the worker dead, …
SAFETY_SECONDS = 5.0
#: … and where it does not listen, because a call hangs, its process ends this long before. A short
#: lease keeps a quarter and an eighth of itself instead.
HARD_SAFETY_SECONDS = 2.0
LEASE_LOST_EXIT = 75

HardStop = Callable[[], None]


def end_process() -> None:
    """End this process at once. Its run is `running` until the reconciler finds it lost."""
    log.error("the lease could not be renewed and the work did not stop; this process ends")
    os._exit(LEASE_LOST_EXIT)


class Heartbeat:
    """While the block runs, the lease is renewed; when that fails for too long, the work is told.

    Work that has not stopped `HARD_SAFETY_SECONDS` before its lease ends meets `hard_stop`. A short
    run never needs any of this: the connection is opened at the first beat.
    """

    def __init__(self, active: ActiveRun, *, hard_stop: HardStop | None = None) -> None:
        self._active = active
        self._hard_stop = hard_stop
        self._over = threading.Event()
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
        self._over.set()

    def _renew(self) -> None:
        try:
            while not self._over.wait(settings.RUN_HEARTBEAT_SECONDS):
                if not self._beat():
                    return
        finally:
            connection.close()

    def _beat(self) -> bool:
        """Renew once; whether to go on."""
        asked_at = time.monotonic()
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
        self._active.renewed(asked_at)
        return True

    def _guard(self) -> None:
        lease = float(settings.RUN_LEASE_SECONDS)
        if self._let_pass(min(SAFETY_SECONDS, lease / 4)):
            return
        self._active.stop(LeaseLost())
        if self._hard_stop and not self._let_pass(min(HARD_SAFETY_SECONDS, lease / 8)):
            self._hard_stop()

    def _let_pass(self, safety: float) -> bool:
        """Wait for the end of the block; False when the lease has only `safety` seconds left."""
        while (left := self._active.remaining_lease() - safety) > 0:
            if self._over.wait(left):
                return True
        return self._over.is_set()
