"""Claim → handler → complete: what a worker does with a wake-up message."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
import uuid

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, transaction

from operations import ticks
from operations.catalog import OperationCatalog
from operations.conflicts import is_conflict, retry_on_serialization_failure
from operations.failpoints import failpoint
from operations.handlers import get_handler
from operations.models import OperationRun
from operations.reasons import LOST_WORKER, Blocked, SafeError
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import Ending
from operations.worker.active_run import ActiveRun, CancelRequested, LeaseLost
from operations.worker.heartbeat import HardStop, Heartbeat
from operations.worker.retrying import retry_after_loss

log = logging.getLogger(__name__)

WORKER_SHUTDOWN = "worker_shutdown"
#: How a handler ended: its ending, and the error that brought it about.
Ended = tuple[Ending, SafeError | None]


def worker_name() -> str:
    """This process, as the run page shows it."""
    return f"{socket.gethostname()}:{os.getpid()}"


def execute(run_id: object, *, hard_stop: HardStop | None = None) -> bool:
    """Run one operation; False where there was nothing to claim.

    A message that comes twice, late, for a run that does not exist or for no run does nothing.
    `hard_stop` ends the process of work that hangs when its lease cannot be renewed.
    """
    service = OperationRunService()
    failpoint("claim.before")
    asked_at = time.monotonic()
    run = service.claim(run_id, worker_name()) if isinstance(run_id, int) else None
    if run is None:
        log.info("run %r: nothing to claim", run_id)
        return False
    failpoint("claim.after")
    with contextlib.suppress(Error):
        ticks.record_claim(run.type)
    with structlog.contextvars.bound_contextvars(run_id=run_id, run_type=run.type):
        _execute_claimed(ActiveRun(run, service, claimed_at=asked_at), service, hard_stop)
    return True


def _execute_claimed(
    active: ActiveRun, service: OperationRunService, hard_stop: HardStop | None
) -> None:
    run = active.run
    try:
        with Heartbeat(active, hard_stop=hard_stop):
            ending, error = _call_handler(active)
            failpoint("complete.before")
        ended = _end(run, service, ending, error)
        failpoint("complete.after")
        log.info("run %s ended: %s", run.pk, ended.outcome)
    except RunNoLongerActive:
        log.warning("run %s had ended before its worker did", run.pk)
        service.record_late_write(run.pk, run.worker)
        return
    if error and error.code == WORKER_SHUTDOWN:
        raise SystemExit


@retry_on_serialization_failure
@transaction.atomic
def _end(
    run: OperationRun, service: OperationRunService, ending: Ending, error: SafeError | None
) -> OperationRun:
    """Close the run; one that loses its worker has its retry as soon as it has ended."""
    ended = service.complete(run.pk, ending=ending, error=error)
    if error and error.code in LOST_WORKER:
        retry_after_loss(ended)
    return ended


def _call_handler(active: ActiveRun) -> Ended:
    """Call the handler and tell how it ended; anything but a safe error becomes a reference."""
    try:
        _work(active)
    except RunNoLongerActive:
        raise
    except CancelRequested:
        return Ending.CANCELLED, None
    except LeaseLost:
        return Ending.ERROR, SafeError("lease_lost")
    except Blocked as blocked:
        return Ending.BLOCKED, blocked
    except SafeError as error:
        return Ending.ERROR, error
    except SoftTimeLimitExceeded:
        return Ending.ERROR, _took_too_long(active.run)
    except (SystemExit, KeyboardInterrupt):
        return Ending.ERROR, SafeError(WORKER_SHUTDOWN)
    except Exception as error:
        if is_conflict(error):
            return Ending.ERROR, SafeError("database_conflict")
        # The traceback goes to the log under a reference; the row gets the reference alone.
        reference = uuid.uuid4().hex[:12]
        log.exception("run %s: unexpected error, reference %s", active.id, reference)
        return Ending.ERROR, SafeError("unexpected_error", reference=reference)
    return Ending.FINISHED, None


def _work(active: ActiveRun) -> None:
    """Call the handler; however it ends, what it has reported is written."""
    try:
        active.checkpoint()
        get_handler(active.run.type)(active)
    finally:
        active.flush()


def _took_too_long(run: OperationRun) -> SafeError:
    limit = OperationCatalog.get(run.type).time_limit
    return SafeError("time_limit_exceeded", minutes=int(limit.total_seconds() // 60))
