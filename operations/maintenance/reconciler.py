"""The reconciler: ends lost runs, so that no run stays queued or running forever.

Any number of reconcilers may run at once. Each run is ended in a separate short transaction, which
locks the row, or skips it if it is locked, and checks again that the run is lost. An error while
ending a run is logged and does not affect the others.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from operations.catalog import OperationCatalog
from operations.delivery.publisher import GRACE_SECONDS
from operations.failpoints import failpoint
from operations.models import OperationRun
from operations.reasons import LOST_WORKER, SafeError
from operations.services import OperationRunService
from operations.worker.retrying import retry_after_loss

log = logging.getLogger(__name__)

BATCH = 200


@dataclass(frozen=True)
class Loss:
    """A kind of lost run: the reason code, and the SQL condition by the clock of the database.

    The parameter `limits` has the limits of each type in seconds, from the catalog.
    """

    code: str
    condition: str


LOSSES = (
    # This comes first: a heartbeat after the time limit, followed by silence, means that the hard
    # time limit ended the worker. The run is not retried, because it would exceed the limit again.
    Loss(
        "max_runtime_exceeded",
        "status = 'running' AND heartbeat_at >= started_at"
        " + make_interval(secs => (%(limits)s::jsonb #>> ARRAY[type, 'runtime'])::float)"
        " AND started_at < clock_timestamp()"
        " - make_interval(secs => (%(limits)s::jsonb #>> ARRAY[type, 'killed'])::float)",
    ),
    Loss(
        "worker_lost",
        "status = 'running' AND heartbeat_at < clock_timestamp() - make_interval(secs => %(lease)s)",
    ),
    Loss(
        "cancel_timeout",
        "status = 'running' AND cancel_requested_at < clock_timestamp()"
        " - make_interval(secs => %(cancel)s)",
    ),
    Loss(
        "never_started",
        "status = 'queued' AND created_at < clock_timestamp()"
        " - make_interval(secs => (%(limits)s::jsonb #>> ARRAY[type, 'start'])::float)",
    ),
)


def reconcile() -> Counter[str]:
    """End every lost run; return their number by reason code."""
    ended: Counter[str] = Counter()
    for loss in LOSSES:
        for run_id in _find_lost(loss):
            try:
                ended[loss.code] += _end_if_lost(run_id, loss)
            except Exception:
                log.exception("run %s could not be ended as %s", run_id, loss.code)
    return +ended


def _find_lost(loss: Loss) -> Iterator[int]:
    """Yield the id of each lost run once; read them in batches."""
    last_id = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM operation_runs WHERE {loss.condition} AND id > %(last_id)s"  # noqa: S608 - a constant  # nosec B608
                " ORDER BY id LIMIT %(batch)s",
                {**_parameters(), "last_id": last_id, "batch": BATCH},
            )
            ids = [run_id for (run_id,) in cursor.fetchall()]
        if not ids:
            return
        yield from ids
        last_id = ids[-1]


@transaction.atomic
def _end_if_lost(run_id: int, loss: Loss) -> bool:
    """End a run if it is still lost and no other transaction has locked it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM operation_runs WHERE id = %(id)s AND {loss.condition}"  # noqa: S608 - a constant  # nosec B608
            " FOR NO KEY UPDATE SKIP LOCKED",
            {**_parameters(), "id": run_id},
        )
        if cursor.fetchone() is None:
            return False
    run = OperationRun.objects.with_scope().get(pk=run_id)
    ended = OperationRunService().end_lost_run(run, error=_error(run, loss))
    failpoint("reconciler.before_retry")
    if loss.code in LOST_WORKER:
        retry_after_loss(ended)
    failpoint("reconciler.before_commit")
    return True


def _error(run: OperationRun, loss: Loss) -> SafeError:
    entry = run.catalog
    limit = dt.timedelta(0)
    if entry:
        limit = entry.start_deadline if run.is_queued else entry.time_limit
    return SafeError(
        loss.code,
        worker=run.worker or "The worker",
        seconds=settings.RUN_LEASE_SECONDS,
        minutes=int(limit.total_seconds() // 60),
        queue=entry.queue.value if entry else "unknown",
    )


def _parameters() -> dict[str, int | str]:
    limits = {
        run_type.value: {
            "start": entry.start_deadline.total_seconds(),
            "runtime": entry.time_limit.total_seconds(),
            "killed": entry.time_limit.total_seconds() + GRACE_SECONDS,
        }
        for run_type, entry in OperationCatalog.all().items()
    }
    return {
        "lease": settings.RUN_LEASE_SECONDS,
        "cancel": settings.RUN_CANCEL_SECONDS,
        "limits": json.dumps(limits),
    }
