"""The retry of a run that lost its worker: a new run in its place, where that is wanted."""

from __future__ import annotations

import logging
import uuid

from django.db import transaction

from operations.catalog import Retry
from operations.conflicts import is_conflict
from operations.events import Event, append_events
from operations.models import EventLevel, OperationRun
from operations.services import OperationRunService

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
INITIATOR = "Reconciler"


def retry_after_loss(run: OperationRun) -> None:
    """Put a new run in the place of an ended one, if its type allows; three in a row at most.

    Nobody wants a cancelled run back. Where no retry comes, the timeline says why; the end of the
    run, which belongs to the same transaction, stays.
    """
    if run.cancel_requested_at or run.catalog is None or run.catalog.retry is not Retry.AUTOMATIC:
        return
    if _attempts(run) >= MAX_ATTEMPTS:
        _give_up(run, f"Not retried again: {MAX_ATTEMPTS} runs in a row have lost their workers.")
        return
    try:
        with transaction.atomic():
            OperationRunService().retry(run, initiator_name=INITIATOR)
    except Exception as error:
        if is_conflict(error):
            raise
        reference = uuid.uuid4().hex[:12]
        log.exception("run %s could not be retried, reference %s", run.pk, reference)
        _give_up(run, f"Not retried: that failed with an error (reference {reference}).")


def _attempts(run: OperationRun) -> int:
    """How many runs in a row were lost, this one included, since somebody asked for one."""
    attempts = 1
    while run.initiator_name == INITIATOR and run.retry_of and attempts < MAX_ATTEMPTS:
        attempts, run = attempts + 1, run.retry_of
    return attempts


def _give_up(run: OperationRun, why: str) -> None:
    append_events([(run.pk, Event("retry_given_up", why, EventLevel.WARNING))])
