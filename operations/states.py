"""Status and outcome of a run, and the function that derives the outcome."""

from __future__ import annotations

from django.db import models

from operations.counts import Counts


class RunStatus(models.TextChoices):
    """The status of a run; it changes only in this order."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"


class RunOutcome(models.TextChoices):
    """How a run ended; pending until it is completed."""

    PENDING = "pending", "Pending"
    SUCCEEDED = "succeeded", "Succeeded"
    PARTIALLY_SUCCEEDED = "partially_succeeded", "Partially succeeded"
    FAILED = "failed", "Failed"
    BLOCKED = "blocked", "Blocked"
    CANCELLED = "cancelled", "Cancelled"


class ItemOutcome(models.TextChoices):
    """How one item of a run ended."""

    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class Ending(models.TextChoices):
    """Why a run ended."""

    FINISHED = "finished", "The work was completed"
    ERROR = "error", "An error occurred"
    BLOCKED = "blocked", "A precondition was not met"
    CANCELLED = "cancelled", "The run was cancelled"


ACTIVE_STATUSES = (RunStatus.QUEUED, RunStatus.RUNNING)
ATTENTION_OUTCOMES = (RunOutcome.FAILED, RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.BLOCKED)


def derive_outcome(counts: Counts, ending: Ending) -> RunOutcome:
    """Derive the outcome from the counts and the ending.

    Without failed or not attempted items the run has succeeded; with some, partially succeeded;
    with nothing else, failed. If a precondition fails after some items were processed, their
    results decide the outcome instead of “blocked”.
    """
    if ending == Ending.CANCELLED:
        return RunOutcome.CANCELLED
    if ending == Ending.ERROR:
        return RunOutcome.FAILED
    if ending == Ending.BLOCKED:
        if counts.succeeded:
            return RunOutcome.PARTIALLY_SUCCEEDED
        return RunOutcome.FAILED if counts.failed else RunOutcome.BLOCKED
    if not (counts.failed or counts.not_attempted):
        return RunOutcome.SUCCEEDED
    if counts.succeeded or counts.skipped:
        return RunOutcome.PARTIALLY_SUCCEEDED
    return RunOutcome.FAILED
