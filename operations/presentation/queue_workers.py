"""The workers that were seen on the queue of a waiting run, and when one of them should be free."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from operations.catalog import OperationCatalog
from operations.models import OperationRun, OperationTick
from operations.presentation.expected_duration import MAX_RUNNING, expectations, expected_end
from operations.states import RunStatus

#: The most runs that the page names.
MAX_NAMED = 3


@dataclass(frozen=True)
class BusyRun:
    """A running run of the queue, and when it should end."""

    run: OperationRun
    ends_at: dt.datetime | None


@dataclass(frozen=True)
class QueueWorkers:
    """What is known about the workers of a queue.

    `busy` counts those that execute runs of any workspace; `runs` names those of this one, the
    first to end first. `last_claim` is when a run was last taken from the queue, if none is busy.
    """

    busy: int
    runs: Sequence[BusyRun] = ()
    free_at: dt.datetime | None = None
    last_claim: dt.datetime | None = None


def load_queue_workers(run: OperationRun) -> QueueWorkers | None:
    """Load the workers on the queue of a run with two queries; None for an unknown type."""
    if run.catalog is None:
        return None
    queue = run.catalog.queue
    types = [each.value for each, entry in OperationCatalog.all().items() if entry.queue == queue]
    running = OperationRun.objects.filter(status=RunStatus.RUNNING, type__in=types).with_scope()
    runs = [each for each in running.order_by("id")[:MAX_RUNNING] if not each.lease_expired]
    if not runs:
        claims = OperationTick.objects.filter(name=f"claim {queue}").values_list("at", flat=True)
        return QueueWorkers(busy=0, last_claim=claims.first())
    expected = expectations(runs)
    busy = [BusyRun(each, expected_end(each, expected.get(each.pk))) for each in runs]
    busy.sort(key=lambda each: (each.ends_at is None, each.ends_at, each.run.pk))
    return QueueWorkers(
        busy=len({each.worker for each in runs}),
        runs=[each for each in busy if each.run.workspace_id == run.workspace_id][:MAX_NAMED],
        free_at=busy[0].ends_at,
    )


def load_blocking_run(run: OperationRun) -> BusyRun | None:
    """Load the run that was still active when this one should have started, with two queries."""
    blocking_id = run.context.get("previous_run_id")
    if blocking_id is None:
        return None
    runs = OperationRun.objects.filter(workspace=run.workspace_id, pk=blocking_id).with_scope()
    blocking = runs.first()
    if blocking is None:
        return None
    expected = expectations([blocking]).get(blocking.pk) if blocking.is_running else None
    return BusyRun(blocking, expected_end(blocking, expected))
