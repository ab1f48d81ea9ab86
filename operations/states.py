"""Lifecycle and outcome: two axes, and the one function that derives the second."""

from __future__ import annotations

from django.db import models

from operations.counts import Counts


class RunStatus(models.TextChoices):
    """Where a run is in its life. It only ever moves to the right."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    COMPLETED = "completed", "Completed"


class RunOutcome(models.TextChoices):
    """How a run ended; pending until it has."""

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
    """What made a run stop."""

    FINISHED = "finished", "Its work was done"
    ERROR = "error", "An error ended it"
    BLOCKED = "blocked", "A precondition was not met"
    CANCELLED = "cancelled", "Somebody cancelled it"


ACTIVE_STATUSES = (RunStatus.QUEUED, RunStatus.RUNNING)
ATTENTION_OUTCOMES = (RunOutcome.FAILED, RunOutcome.PARTIALLY_SUCCEEDED, RunOutcome.BLOCKED)


def derive_outcome(counts: Counts, ending: Ending) -> RunOutcome:
    """The outcome that the counts tell.

    Nothing failed or left out: succeeded. Some of it: partially succeeded. All of it: failed.
    An item that was never attempted counts as not done. A precondition that failed after some
    items were tried leaves what became of them, not a block.
    """
    if ending == Ending.CANCELLED:
        return RunOutcome.CANCELLED
    if ending == Ending.ERROR:
        return RunOutcome.FAILED
    done = counts.succeeded + counts.skipped
    if ending == Ending.BLOCKED:
        tried = RunOutcome.FAILED if counts.failed else RunOutcome.BLOCKED
        return RunOutcome.PARTIALLY_SUCCEEDED if counts.succeeded else tried
    if not (counts.failed or counts.not_attempted):
        return RunOutcome.SUCCEEDED
    return RunOutcome.PARTIALLY_SUCCEEDED if done else RunOutcome.FAILED
