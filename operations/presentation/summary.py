"""A run in one sentence: what was asked, for whom, what happened, and what to do next.

Pure: a run and its related facts in, texts out. Only what the row says is told; a failure's text
is its safe message, never more.
"""

from __future__ import annotations

from dataclasses import dataclass

from operations.models import OperationRun
from operations.reasons import get_reason
from operations.states import RunOutcome, RunStatus


@dataclass(frozen=True)
class State:
    """One word for where a run is or how it ended; `key` chooses color and icon."""

    key: str
    word: str
    icon: str


@dataclass(frozen=True)
class Summary:
    """The story of a run; `next_step` is empty where nothing has to be done."""

    headline: str
    detail: str = ""
    next_step: str = ""


_STATES = {
    "queued": State("queued", "Queued", "clock"),
    "running": State("running", "Running", "loader-2"),
    "stopping": State("stopping", "Stopping", "player-stop"),
    "silent": State("silent", "Worker silent", "heartbeat"),
    RunOutcome.SUCCEEDED: State("succeeded", "Succeeded", "check"),
    RunOutcome.PARTIALLY_SUCCEEDED: State(
        "partially_succeeded", "Partially succeeded", "alert-triangle"
    ),
    RunOutcome.FAILED: State("failed", "Failed", "x"),
    RunOutcome.BLOCKED: State("blocked", "Blocked", "ban"),
    RunOutcome.CANCELLED: State("cancelled", "Cancelled", "circle-minus"),
}


def state_of(run: OperationRun) -> State:
    """The run's state: its outcome once it has ended, how it is getting on until then."""
    if not run.is_active:
        return _STATES[run.outcome]
    if run.lease_expired:
        return _STATES["silent"]
    if run.is_running and run.cancel_requested_at:
        return _STATES["stopping"]
    return _STATES[run.status]


def outcome_state(outcome: str) -> State:
    """How an outcome by itself is shown."""
    return _STATES[outcome]


def summarize(run: OperationRun) -> Summary:
    """The story of a run, queued, running or ended."""
    if run.status == RunStatus.QUEUED:
        return Summary(f"{subject(run)} is waiting for a worker.")
    if run.is_running:
        return _running(run)
    tellers = {
        RunOutcome.SUCCEEDED: _succeeded,
        RunOutcome.PARTIALLY_SUCCEEDED: _partial,
        RunOutcome.FAILED: _failed,
        RunOutcome.BLOCKED: _blocked,
        RunOutcome.CANCELLED: _cancelled,
    }
    return tellers[RunOutcome(run.outcome)](run)


def subject(run: OperationRun) -> str:
    """What was asked, and for which tenant: “Scheduled backup for Fabrikam”."""
    return f"{run.label} for {run.tenant or run.workspace}"


def _running(run: OperationRun) -> Summary:
    state = state_of(run).key
    if state == "silent":
        return Summary(
            f"{subject(run)} has lost touch with its worker.",
            f"{run.worker or 'The worker'} has not reported within its lease. {_done_so_far(run)}",
            "The run is closed as soon as the worker is known to be lost; what is done stays done.",
        )
    if state == "stopping":
        return Summary(
            f"{subject(run)} was asked to stop{_by(run)}.",
            f"It stops after the item it is working on. {_done_so_far(run)}",
            "Stopping is not a rollback: what is done stays done.",
        )
    return Summary(f"{subject(run)} is running.", _done_so_far(run))


def _succeeded(run: OperationRun) -> Summary:
    counts = run.counts
    if not counts.processed:
        return Summary(f"{subject(run)} succeeded.", "There was nothing to do.")
    done = _all(counts.succeeded, counts.total)
    skipped = f", {counts.skipped:,} skipped" if counts.skipped else ""
    return Summary(f"{subject(run)} succeeded.", f"{done} done{skipped}{_changes(run)}.")


def _partial(run: OperationRun) -> Summary:
    counts = run.counts
    parts = [f"{counts.succeeded:,} of {_items(max(counts.total, counts.processed))} succeeded"]
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    parts += [f"{counts.skipped:,} skipped"] if counts.skipped else []
    parts += [f"{counts.not_attempted:,} not reached"] if counts.not_attempted else []
    return Summary(
        f"{subject(run)} succeeded in part.", f"{', '.join(parts)}{_mostly(run)}.", _next(run)
    )


def _failed(run: OperationRun) -> Summary:
    counts = run.counts
    if counts.failed and counts.failed >= counts.total:
        what = f"{_all(counts.failed, counts.failed)} failed{_mostly(run)}."
    else:
        what = _cause(run) or "Nothing more is known about the cause."
        what += f" {_done_so_far(run)}" if counts.processed else ""
    return Summary(f"{subject(run)} failed.", what, _next(run))


def _blocked(run: OperationRun) -> Summary:
    return Summary(f"{subject(run)} did not start.", _cause(run), _next(run))


def _cancelled(run: OperationRun) -> Summary:
    if run.started_at is None:
        return Summary(
            f"{subject(run)} was cancelled{_by(run)} before it started.", "Nothing was done."
        )
    return Summary(
        f"{subject(run)} was cancelled{_by(run)}.",
        f"{_done_so_far(run)} What was done stays done.",
        "Retry to do the rest." if run.counts.not_attempted else "",
    )


def _done_so_far(run: OperationRun) -> str:
    counts = run.counts
    if not (counts.total or counts.processed):
        return "No item has been reported yet." if run.is_active else "No item was reported."
    of = f" of {counts.total:,}" if counts.total else ""
    failed = f", {counts.failed:,} of them failed" if counts.failed else ""
    noun = "item" if (counts.total or counts.processed) == 1 else "items"
    return f"{counts.processed:,}{of} {noun} done{failed}."


def _all(done: int, total: int) -> str:
    if total == 1:
        return "The one item"
    return f"All {total:,} items" if done == total else f"{done:,} of {_items(total)}"


def _items(number: int) -> str:
    return f"{number:,} item" if number == 1 else f"{number:,} items"


def _changes(run: OperationRun) -> str:
    changes = ", ".join(f"{count:,} {word}" for word, count in run.counts.changes.items())
    return f" ({changes})" if changes else ""


def _mostly(run: OperationRun) -> str:
    if not run.failures:
        return ""
    codes = [failure["code"] for failure in run.failures]
    label = get_reason(codes[0]).label.lower()
    return f"; the cause: {label}" if len(set(codes)) == 1 else f"; mostly: {label}"


def _cause(run: OperationRun) -> str:
    return str(run.failures[0]["message"]) if run.failures else ""


def _next(run: OperationRun) -> str:
    for failure in run.failures:
        if step := failure.get("next_step") or get_reason(failure["code"]).next_step:
            # A template of the catalog is not a sentence; only filled-in steps are shown.
            return "" if "{" in step else str(step)
    return ""


def _by(run: OperationRun) -> str:
    return f" by {run.cancel_requested_by.username}" if run.cancel_requested_by else ""
