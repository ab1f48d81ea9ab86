"""What the statuses of the older system mean in the terms of a run; their words stay their own."""

from __future__ import annotations

from operations.presentation.summary import State, outcome_state
from operations.states import RunOutcome, RunStatus

SKIPPED = "skipped"
#: Where a run is in its life, by the statuses that say so; whatever is none of them has ended.
ACTIVE: dict[str, tuple[str, ...]] = {
    RunStatus.QUEUED: ("queued", "pending"),
    RunStatus.RUNNING: ("running",),
}
#: How it ended, by the statuses that say so.
ENDED: dict[str, tuple[str, ...]] = {
    RunOutcome.SUCCEEDED: ("success", "succeeded"),
    RunOutcome.PARTIALLY_SUCCEEDED: ("partial",),
    RunOutcome.FAILED: ("failed",),
    RunOutcome.CANCELLED: ("canceled", "cancelled"),
    SKIPPED: ("skipped",),
}
_OUTCOMES = {status: outcome for outcome, statuses in ENDED.items() for status in statuses}


def state_of(status: str, label: str) -> State:
    """The badge of a status: the color of the outcome it means, and its own word.

    What never ended stays without a color: nothing goes on in history.
    """
    outcome = _OUTCOMES.get(status, SKIPPED)
    if outcome == SKIPPED:
        return State("cancelled", label, "history")
    known = outcome_state(outcome)
    return State(known.key, label, known.icon)
