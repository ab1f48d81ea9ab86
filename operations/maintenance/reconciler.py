"""The reconciler: ends lost runs, so that no run stays queued or running forever.

Any number of reconcilers may run at once. A batch of runs is ended in one short transaction, which
locks their rows, skips locked ones, and checks again that the runs are lost. If that fails, each
run of the batch is ended in a separate transaction, so that a run that cannot be ended is logged
and does not affect the others.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from operations.catalog import OperationCatalog
from operations.delivery.publisher import GRACE_SECONDS
from operations.failpoints import failpoint
from operations.models import OperationRun
from operations.reasons import LOST_WORKER, SafeError
from operations.services import OperationRunService
from operations.worker.retrying import retry_lost_runs

log = logging.getLogger(__name__)

#: Runs that are ended in one transaction; a user who cancels one of them waits for it.
BATCH = 100


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
        for run_ids in _find_lost(loss):
            ended[loss.code] += _end(run_ids, loss)
    return +ended


def _find_lost(loss: Loss) -> Iterator[list[int]]:
    """Yield the ids of lost runs in batches, each id once."""
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
        yield ids
        last_id = ids[-1]


def _end(run_ids: Sequence[int], loss: Loss) -> int:
    """End the lost runs together, or if that fails, one by one; return how many were ended."""
    try:
        return _end_if_lost(run_ids, loss)
    except Exception as error:
        if len(run_ids) == 1:
            log.exception("run %s could not be ended as %s", run_ids[0], loss.code)
            return 0
        log.warning(
            "lost runs cannot be ended together (%s); each is ended alone", type(error).__name__
        )
    return sum(_end([run_id], loss) for run_id in run_ids)


@transaction.atomic
def _end_if_lost(run_ids: Sequence[int], loss: Loss) -> int:
    """End the runs that are still lost and that no other transaction has locked."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM operation_runs WHERE id = ANY(%(ids)s) AND {loss.condition}"  # noqa: S608 - a constant  # nosec B608
            " ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            {**_parameters(), "ids": list(run_ids)},
        )
        locked = [run_id for (run_id,) in cursor.fetchall()]
    runs = OperationRun.objects.with_scope().filter(pk__in=locked).order_by("pk")
    ended = OperationRunService().end_lost_runs([(run, _error(run, loss)) for run in runs])
    failpoint("reconciler.before_retry")
    if loss.code in LOST_WORKER:
        retry_lost_runs(ended)
    failpoint("reconciler.before_commit")
    return len(ended)


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
