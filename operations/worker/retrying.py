"""The automatic retry of runs that lost their worker."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence

from django.db import transaction

from operations.catalog import Retry
from operations.conflicts import is_conflict
from operations.events import Event, append_events
from operations.models import EventLevel, OperationRun
from operations.services import NotRetryable, OperationRunService

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
INITIATOR = "Reconciler"


def retry_after_loss(run: OperationRun) -> None:
    """Retry an ended run if its type allows; at most three runs in a row lose their worker.

    A cancelled run is not retried. If the retry is given up, the timeline says why, and the end of
    the run, which is part of the same transaction, stays.
    """
    retry_lost_runs([run])


def retry_lost_runs(runs: Sequence[OperationRun]) -> None:
    """Like `retry_after_loss` for a batch, in a bounded number of statements.

    A run whose retry fails does not affect the others.
    """
    candidates = [
        run
        for run in runs
        if not run.cancel_requested_at and run.catalog and run.catalog.retry is Retry.AUTOMATIC
    ]
    attempts = _count_attempts(candidates)
    exhausted = [run for run in candidates if attempts[run.pk] >= MAX_ATTEMPTS]
    _record_give_up(
        exhausted, f"Not retried again: {MAX_ATTEMPTS} runs in a row lost their worker."
    )
    retried = [run for run in candidates if attempts[run.pk] < MAX_ATTEMPTS]
    try:
        _retry(retried)
    except Exception as error:
        if is_conflict(error):
            raise
        if len(retried) == 1:
            reference = uuid.uuid4().hex[:12]
            log.exception("run %s could not be retried, reference %s", retried[0].pk, reference)
            message = f"Not retried because of an error (reference {reference})."
            _record_give_up(retried, message)
            return
        log.warning("runs cannot be retried together; each is retried alone", exc_info=True)
        for run in retried:
            retry_lost_runs([run])


@transaction.atomic
def _retry(runs: Sequence[OperationRun]) -> None:
    results = OperationRunService().retry_many(runs, initiator_name=INITIATOR)
    append_events(
        (run.pk, _give_up(f"Not retried: {result}"))
        for run, result in zip(runs, results, strict=True)
        if isinstance(result, NotRetryable)
    )


def _count_attempts(runs: Sequence[OperationRun]) -> dict[int, int]:
    """Return how many runs in a row were lost since the last manual request, by the last one's id."""
    attempts = {run.pk: 1 for run in runs}
    earliest = {run.pk: run for run in runs}
    for _ in range(MAX_ATTEMPTS - 1):
        retried = {
            run_id: run.retry_of_id
            for run_id, run in earliest.items()
            if run.initiator_name == INITIATOR and run.retry_of_id
        }
        if not retried:
            break
        runs_by_id = OperationRun.objects.only("initiator_name", "retry_of").in_bulk(
            retried.values()
        )
        # Retention can have removed an earlier run in the meantime.
        earliest = {
            run_id: runs_by_id[earlier_id]
            for run_id, earlier_id in retried.items()
            if earlier_id in runs_by_id
        }
        for run_id in earliest:
            attempts[run_id] += 1
    return attempts


def _record_give_up(runs: Iterable[OperationRun], message: str) -> None:
    append_events((run.pk, _give_up(message)) for run in runs)


def _give_up(message: str) -> Event:
    return Event("retry_given_up", message, EventLevel.WARNING)
