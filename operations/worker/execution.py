"""The execution of a run in a worker: claim, call the handler, complete."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
import uuid

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error, connection, transaction

from operations import ticks
from operations.catalog import OperationCatalog
from operations.conflicts import is_conflict, retry_on_serialization_failure
from operations.failpoints import failpoint
from operations.handlers import get_handler
from operations.models import OperationRun
from operations.reasons import LOST_WORKER, Blocked, SafeError
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import Ending
from operations.traces import describe_run
from operations.worker.active_run import ActiveRun, CancelRequested, LeaseLost
from operations.worker.heartbeat import HardStop, Heartbeat
from operations.worker.retrying import retry_after_loss
from telemetry import tracing
from telemetry.spans import Span
from tenancy.db import close_unless_idle

log = logging.getLogger(__name__)

WORKER_SHUTDOWN = "worker_shutdown"
#: How a handler ended: the ending, and the error that caused it.
HandlerResult = tuple[Ending, SafeError | None]


def worker_name() -> str:
    """Return the name of this process, as shown on the page of a run."""
    return f"{socket.gethostname()}:{os.getpid()}"


def execute(run_id: object, *, hard_stop: HardStop | None = None) -> bool:
    """Execute a run; return False if there is nothing to claim.

    A message that is duplicated, late, or not for an existing run has no effect. `hard_stop` ends
    the process if the lease cannot be renewed and the handler does not stop.
    """
    service = OperationRunService()
    failpoint("claim.before")
    claimed_at, received_at = time.monotonic(), tracing.now()
    run = service.claim(run_id, worker_name()) if isinstance(run_id, int) else None
    if run is None:
        log.info("run %r: nothing to claim", run_id)
        return False
    failpoint("claim.after")
    with contextlib.suppress(Error):
        ticks.record_claim(run.type)
    name = f"execute {run.type}"
    with (
        structlog.contextvars.bound_contextvars(run_id=run_id, run_type=run.type),
        tracing.span(
            name, describe_run(run), kind="consumer", parent=run.trace_parent, start=received_at
        ) as span,
    ):
        with tracing.span("claim", start=received_at):
            pass
        _execute_claimed(ActiveRun(run, service, claimed_at=claimed_at), service, hard_stop, span)
    return True


def _execute_claimed(
    active: ActiveRun,
    service: OperationRunService,
    hard_stop: HardStop | None,
    span: Span,
) -> None:
    run = active.run
    try:
        with Heartbeat(active, hard_stop=hard_stop):
            ending, error = _call_handler(active)
            failpoint("complete.before")
        with tracing.span("complete"):
            ended = _end(active, service, ending, error)
        failpoint("complete.after")
        span.set({"runledger.run.outcome": ended.outcome})
        log.info("run %s ended: %s", run.pk, ended.outcome)
    except RunNoLongerActive:
        log.warning("run %s had ended before its worker did", run.pk)
        service.record_late_write(run.pk, run.worker)
        return
    if error and error.code == WORKER_SHUTDOWN:
        raise SystemExit


@retry_on_serialization_failure
def _end(
    active: ActiveRun, service: OperationRunService, ending: Ending, error: SafeError | None
) -> OperationRun:
    """Complete the run; a run that lost its worker is retried in the same transaction."""
    if not (error and error.code in LOST_WORKER):
        claimed = None if active.has_reported else active.run
        return service.complete(active.id, ending=ending, error=error, claimed=claimed)
    with transaction.atomic():
        ended = service.complete(active.id, ending=ending, error=error)
        retry_after_loss(ended)
    return ended


def _call_handler(active: ActiveRun) -> HandlerResult:
    """Call the handler and return how it ended; an unexpected error is logged with a reference."""
    try:
        _run_handler(active)
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
        limit = OperationCatalog.get(active.run.type).time_limit
        minutes = int(limit.total_seconds() // 60)
        return Ending.ERROR, SafeError("time_limit_exceeded", minutes=minutes)
    except (SystemExit, KeyboardInterrupt):
        return Ending.ERROR, SafeError(WORKER_SHUTDOWN)
    except Exception as error:
        if is_conflict(error):
            return Ending.ERROR, SafeError("database_conflict")
        # The log gets the traceback with a reference; the row gets only the reference.
        reference = uuid.uuid4().hex[:12]
        log.exception("run %s: unexpected error, reference %s", active.id, reference)
        return Ending.ERROR, SafeError("unexpected_error", reference=reference)
    return Ending.FINISHED, None


def _run_handler(active: ActiveRun) -> None:
    """Call the handler; write its buffered reports however it ends."""
    # A caller with a transaction, such as a test, ends it itself.
    is_in_transaction = connection.in_atomic_block
    try:
        active.checkpoint()
        with tracing.span("handle"):
            get_handler(active.run.type)(active)
    except RunNoLongerActive:
        raise
    except Exception as error:
        if _follows_time_limit(error):
            raise SoftTimeLimitExceeded from error
        raise
    finally:
        if not is_in_transaction:
            close_unless_idle()
        active.flush_rest()


def _follows_time_limit(error: BaseException) -> bool:
    """Return whether an error only followed the time limit, such as that of a transaction's end."""
    context = error.__context__
    while context is not None and not isinstance(context, SoftTimeLimitExceeded):
        context = context.__context__
    return context is not None
