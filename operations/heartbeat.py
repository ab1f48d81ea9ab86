"""The lease of a running run, renewed by a thread with a database connection of its own."""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType

from django.conf import settings
from django.db import Error, connection

from operations.active_run import ActiveRun, CancelRequested, LeaseLost
from operations.services import OperationRunService, RunNoLongerActive

log = logging.getLogger(__name__)

#: A worker gives up this long before others may think it dead.
SAFETY_SECONDS = 5.0


class Heartbeat:
    """While the block runs, the lease is renewed; when that fails for too long, the work is told.

    A short run never needs it: the connection is opened at the first beat.
    """

    def __init__(self, active: ActiveRun) -> None:
        self._active = active
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_over, name="heartbeat", daemon=True)
        self._renewed = time.monotonic()

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()

    def _beat_until_over(self) -> None:
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
            return self._still_within_lease()
        self._renewed = asked_at
        return True

    def _still_within_lease(self) -> bool:
        silent = time.monotonic() - self._renewed
        if silent + settings.RUN_HEARTBEAT_SECONDS < settings.RUN_LEASE_SECONDS - SAFETY_SECONDS:
            return True
        self._active.stop(LeaseLost())
        return False
