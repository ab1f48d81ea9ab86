"""The automatic retry of a run that lost its worker."""

from __future__ import annotations

import logging
import uuid

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
    if run.cancel_requested_at or run.catalog is None or run.catalog.retry is not Retry.AUTOMATIC:
        return
    if _count_attempts(run) >= MAX_ATTEMPTS:
        _record_give_up(run, f"Not retried again: {MAX_ATTEMPTS} runs in a row lost their worker.")
        return
    try:
        with transaction.atomic():
            OperationRunService().retry(run, initiator_name=INITIATOR)
    except NotRetryable as error:
        _record_give_up(run, f"Not retried: {error}")
    except Exception as error:
        if is_conflict(error):
            raise
        reference = uuid.uuid4().hex[:12]
        log.exception("run %s could not be retried, reference %s", run.pk, reference)
        _record_give_up(run, f"Not retried because of an error (reference {reference}).")


def _count_attempts(run: OperationRun) -> int:
    """Return how many runs in a row were lost, including this one, since the last manual request."""
    attempts = 1
    while run.initiator_name == INITIATOR and run.retry_of and attempts < MAX_ATTEMPTS:
        attempts, run = attempts + 1, run.retry_of
    return attempts


def _record_give_up(run: OperationRun, message: str) -> None:
    append_events([(run.pk, Event("retry_given_up", message, EventLevel.WARNING))])
