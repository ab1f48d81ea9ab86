"""Ends what died, so that no run says "running" or "queued" for ever.

Any number of reconcilers may run at once: each row is ended in a short transaction of its own,
which locks it (or passes it over) and looks again whether it is still lost. A row that cannot be
ended is logged and left behind; it does not keep the next one waiting.
"""

from __future__ import annotations

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
    """A way to be lost: its reason code, and the SQL that tells it, by the database's clock.

    `limits` holds each type's seconds, so that the catalog decides and not the table.
    """

    code: str
    condition: str


LOSSES = (
    # First: a worker that was heard from after the limit and no more has met its hard time limit. To
    # do again what hangs for hours would help nobody.
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
    """End every run that is lost; how many, by reason code."""
    ended: Counter[str] = Counter()
    for loss in LOSSES:
        for run_id in _lost(loss):
            try:
                ended[loss.code] += _end(run_id, loss)
            except Exception:
                log.exception("run %s could not be ended as %s", run_id, loss.code)
    return +ended


def _lost(loss: Loss) -> Iterator[int]:
    """The ids of the lost, in batches, each id once."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id FROM operation_runs WHERE {loss.condition} AND id > %(last)s"  # noqa: S608
                " ORDER BY id LIMIT %(batch)s",
                {**_parameters(), "last": last, "batch": BATCH},
            )
            ids = [run_id for (run_id,) in cursor.fetchall()]
        if not ids:
            return
        yield from ids
        last = ids[-1]


@transaction.atomic
def _end(run_id: int, loss: Loss) -> bool:
    """End one run if it is still lost and nobody else is at it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM operation_runs WHERE id = %(id)s AND {loss.condition}"  # noqa: S608
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
    limit = entry and (entry.start_deadline if run.is_queued else entry.time_limit)
    return SafeError(
        loss.code,
        worker=run.worker or "The worker",
        seconds=settings.RUN_LEASE_SECONDS,
        minutes=int(limit.total_seconds() // 60) if limit else 0,
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
