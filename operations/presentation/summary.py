"""The summary of a run: what was requested, for which tenant, what happened, what to do next.

The functions only read the row of the run. The text of a failure is its safe message.
"""

from __future__ import annotations

from dataclasses import dataclass

from operations.models import OperationRun
from operations.reasons import get_reason
from operations.states import RunOutcome, RunStatus


@dataclass(frozen=True)
class State:
    """The label and icon of a state; `key` selects the color."""

    key: str
    word: str
    icon: str


@dataclass(frozen=True)
class Summary:
    """The description of a run; `next_step` is empty if there is nothing to do."""

    headline: str
    detail: str = ""
    next_step: str = ""


_STATES = {
    "queued": State("queued", "Queued", "clock"),
    "running": State("running", "Running", "loader-2"),
    "stopping": State("stopping", "Stopping", "player-stop"),
    "silent": State("silent", "Worker not responding", "heartbeat"),
    RunOutcome.SUCCEEDED: State("succeeded", "Succeeded", "check"),
    RunOutcome.PARTIALLY_SUCCEEDED: State(
        "partially_succeeded", "Partially succeeded", "alert-triangle"
    ),
    RunOutcome.FAILED: State("failed", "Failed", "x"),
    RunOutcome.BLOCKED: State("blocked", "Blocked", "ban"),
    RunOutcome.CANCELLED: State("cancelled", "Cancelled", "circle-minus"),
}


def state_of(run: OperationRun) -> State:
    """Return the state of a run: its outcome if it has ended, or its progress."""
    if not run.is_active:
        return _STATES[run.outcome]
    if run.lease_expired:
        return _STATES["silent"]
    if run.is_running and run.cancel_requested_at:
        return _STATES["stopping"]
    return _STATES[run.status]


def outcome_state(outcome: str) -> State:
    """Return the state that shows an outcome."""
    return _STATES[outcome]


def summarize(run: OperationRun) -> Summary:
    """Describe a queued, running or ended run."""
    if run.status == RunStatus.QUEUED:
        return Summary(f"{subject(run)} is waiting for a worker.")
    if run.is_running:
        return _running(run)
    if run.outcome == RunOutcome.BLOCKED:
        detail = _first_message(run)
        if repeated := run.repeated_slots:
            detail += f" The same reason blocked {repeated.count:,} slots."
        return Summary(f"{subject(run)} did not start.", detail, _next_step(run))
    describe_by_outcome = {
        RunOutcome.SUCCEEDED: _succeeded,
        RunOutcome.PARTIALLY_SUCCEEDED: _partial,
        RunOutcome.FAILED: _failed,
        RunOutcome.CANCELLED: _cancelled,
    }
    return describe_by_outcome[RunOutcome(run.outcome)](run)


def subject(run: OperationRun) -> str:
    """Return the operation and its tenant or workspace: “Scheduled backup for Fabrikam”."""
    return f"{run.label} for {run.tenant or run.workspace}"


def _running(run: OperationRun) -> Summary:
    state = state_of(run).key
    if state == "silent":
        return Summary(
            f"{subject(run)} is running, but its worker is not responding.",
            f"{run.worker or 'The worker'} has not renewed its lease. {_progress(run)}",
            "The run ends automatically if the worker is lost. Processed items are not rolled back.",
        )
    if state == "stopping":
        return Summary(
            f"{subject(run)} is stopping.",
            f"Cancellation was requested{_by(run)}. The run stops after the current item."
            f" {_progress(run)}",
            "Processed items are not rolled back.",
        )
    return Summary(f"{subject(run)} is running.", _progress(run))


def _succeeded(run: OperationRun) -> Summary:
    counts = run.counts
    if not counts.processed:
        return Summary(f"{subject(run)} succeeded.", "There were no items to process.")
    detail = f"{_share(counts.succeeded, counts.total)} processed"
    if counts.skipped:
        detail += f", {counts.skipped:,} skipped"
    if counts.changes:
        changes = ", ".join(f"{count:,} {name}" for name, count in counts.changes.items())
        detail += f" ({changes})"
    return Summary(f"{subject(run)} succeeded.", f"{detail}.")


def _partial(run: OperationRun) -> Summary:
    counts = run.counts
    numbers = {
        "failed": counts.failed,
        "skipped": counts.skipped,
        "not attempted": counts.not_attempted,
    }
    parts = [f"{counts.succeeded:,} of {_items(max(counts.total, counts.processed))} succeeded"]
    parts += [f"{number:,} {name}" for name, number in numbers.items() if number]
    return Summary(
        f"{subject(run)} partially succeeded.",
        f"{', '.join(parts)}.{_main_cause(run)}",
        _next_step(run),
    )


def _failed(run: OperationRun) -> Summary:
    counts = run.counts
    if counts.failed and counts.failed >= counts.total:
        detail = f"{_share(counts.failed, counts.failed)} failed.{_main_cause(run)}"
    else:
        detail = _first_message(run) or "No cause was recorded."
        if counts.processed:
            detail += f" {_progress(run)}"
    return Summary(f"{subject(run)} failed.", detail, _next_step(run))


def _cancelled(run: OperationRun) -> Summary:
    if run.started_at is None:
        return Summary(
            f"{subject(run)} was cancelled{_by(run)} before it started.", "No items were processed."
        )
    return Summary(
        f"{subject(run)} was cancelled{_by(run)}.",
        f"{_progress(run)} Processed items are not rolled back.",
        "Retry the run to process the remaining items." if run.counts.not_attempted else "",
    )


def _progress(run: OperationRun) -> str:
    counts = run.counts
    if not (counts.total or counts.processed):
        return "No items processed yet." if run.is_active else "No items were processed."
    text = f"{_items(counts.processed)} processed"
    if counts.total:
        text = f"{counts.processed:,} of {_items(counts.total)} processed"
    if counts.failed:
        text += f", {counts.failed:,} failed"
    return f"{text}."


def _share(number: int, total: int) -> str:
    if number != total:
        return f"{number:,} of {_items(total)}"
    return "1 item" if total == 1 else f"All {total:,} items"


def _items(number: int) -> str:
    return f"{number:,} item" if number == 1 else f"{number:,} items"


def _main_cause(run: OperationRun) -> str:
    """Return a sentence with the most frequent cause, after a space; empty without failures."""
    if not run.failures:
        return ""
    codes = [failure["code"] for failure in run.failures]
    name = "Cause" if len(set(codes)) == 1 else "Main cause"
    return f" {name}: {get_reason(codes[0]).label.lower()}."


def _first_message(run: OperationRun) -> str:
    return str(run.failures[0]["message"]) if run.failures else ""


def _next_step(run: OperationRun) -> str:
    for failure in run.failures:
        if step := failure.get("next_step") or get_reason(failure["code"]).next_step:
            # A template of the catalog without its parameters is not shown.
            return "" if "{" in step else str(step)
    return ""


def _by(run: OperationRun) -> str:
    return f" by {run.cancel_requested_by.username}" if run.cancel_requested_by else ""
