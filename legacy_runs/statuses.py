"""How statuses of the older system correspond to the statuses and outcomes of runs."""

from __future__ import annotations

from operations.presentation.summary import State, outcome_state
from operations.states import RunOutcome, RunStatus

SKIPPED = "skipped"
#: The statuses of active runs; runs with any other status have ended.
ACTIVE: dict[str, tuple[str, ...]] = {
    RunStatus.QUEUED: ("queued", "pending"),
    RunStatus.RUNNING: ("running",),
}
#: The statuses of ended runs by outcome.
ENDED: dict[str, tuple[str, ...]] = {
    RunOutcome.SUCCEEDED: ("success", "succeeded"),
    RunOutcome.PARTIALLY_SUCCEEDED: ("partial",),
    RunOutcome.FAILED: ("failed",),
    RunOutcome.CANCELLED: ("canceled", "cancelled"),
    SKIPPED: ("skipped",),
}
_OUTCOMES = {status: outcome for outcome, statuses in ENDED.items() for status in statuses}


def state_of(status: str, label: str) -> State:
    """Return the badge of a status: the color of the corresponding outcome, with its own label.

    Legacy runs that never ended are neutral, because they are not running any more.
    """
    outcome = _OUTCOMES.get(status, SKIPPED)
    if outcome == SKIPPED:
        return State("cancelled", label, "history")
    state = outcome_state(outcome)
    return State(state.key, label, state.icon)
