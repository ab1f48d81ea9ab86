"""The record of an execution: each step of an object on its row, on the run and on its timeline."""

from __future__ import annotations

from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.errors import GraphError
from providers.graph.kinds import KIND
from restores import bodies
from restores.bodies import Json
from restores.models import Action, ItemState, RestoreItem
from tenancy.db import database_now

#: The columns that `_end` writes. Only these, because retention may clear the reference to the
#: backup item at the same time.
_OUTCOME_COLUMNS = (
    *("state", "ended_at", "after_hash"),
    *("outcome_code", "outcome_message", "outcome_next_step"),
)
_SKIP_REASONS = {
    Action.UNCHANGED: "it already matches the backup",
    Action.BLOCKED: "it is blocked",
    Action.CONFLICT: "the current configuration was to be kept",
}


class ItemLog:
    """Records the states of items: planned, intent, applied, then one of the final states."""

    def __init__(self, run: ActiveRun) -> None:
        self._run = run

    def intent(self, item: RestoreItem) -> None:
        """Record that a write is about to be sent, and store it before it is.

        If the worker is lost now, the intent stays on the row: the outcome is unknown.
        """
        item.state = ItemState.INTENT
        item.before_hash = item.live_hash if item.written_id else ""
        item.intent_at = database_now()
        item.save(update_fields=["state", "before_hash", "intent_at"])
        self._run.add_note(f"{item.name}: pending write ({_content(item)}).")
        self._run.flush()

    def applied(self, item: RestoreItem, result_id: str) -> None:
        """Record that Microsoft Graph has accepted the first write of the object."""
        if item.state == ItemState.APPLIED:
            return
        item.state, item.result_id = ItemState.APPLIED, result_id
        item.save(update_fields=["state", "result_id"])

    def answer_lost(self, item: RestoreItem, error: GraphError) -> None:
        request_id = error.request_id or "unknown"
        self._run.add_note(f"{item.name}: the response was lost (request {request_id}).")

    def verified(self, item: RestoreItem, state: Json) -> None:
        """Record that the object is as it was written, and which parts that does not cover."""
        parts = _unread(item)
        reason = SafeError("restore_verified_without", parts=parts) if parts else None
        self._end(item, ItemState.VERIFIED, reason, state)
        is_new = not item.written_id
        self._run.report_success(
            item.key, label=item.name, created=int(is_new), updated=int(not is_new)
        )

    def skipped(self, item: RestoreItem) -> None:
        """Record an item that is not to be written."""
        why = _SKIP_REASONS.get(Action(item.action), "it was not previewed")
        if item.action == Action.UNCHANGED and (parts := _unread(item)):
            why += f", without what backups do not contain ({parts})"
        reason = SafeError("restore_kept", why=why)
        self._end(item, ItemState.SKIPPED, reason)
        self._run.report_skip(item.key, reason, label=item.name)
        if item.action == Action.BLOCKED:
            self._run.add_note(f"{item.name}: {item.message}")

    def refused(self, item: RestoreItem, error: GraphError) -> None:
        """Record that Graph refused the object, or a later request of an object already written."""
        if item.state == ItemState.APPLIED:
            self.differs(item, error)
        else:
            self.failed(item, error)

    def stopped(self, item: RestoreItem) -> None:
        """Record how far the object was written when the run was canceled within it.

        A cancellation arrives while the client waits before a request, so that request was not
        sent. Reading the object back would wait again.
        """
        if item.state == ItemState.INTENT:
            self.failed(item, SafeError("restore_stopped_before"))
        elif item.state == ItemState.APPLIED:
            self.differs(item, SafeError("restore_stopped_within"))

    def failed(self, item: RestoreItem, error: SafeError) -> None:
        self._end_as_failure(item, ItemState.FAILED, error)

    def differs(self, item: RestoreItem, error: SafeError, state: Json | None = None) -> None:
        self._end_as_failure(item, ItemState.DIFFERS, error, state)

    def unknown(self, item: RestoreItem, code: str, state: Json | None = None) -> None:
        self._end_as_failure(item, ItemState.UNKNOWN, SafeError(code), state)

    def _end_as_failure(
        self,
        item: RestoreItem,
        item_state: ItemState,
        error: SafeError,
        state: Json | None = None,
    ) -> None:
        self._end(item, item_state, error, state)
        self._run.report_failure(item.key, error, label=item.name)

    def _end(
        self,
        item: RestoreItem,
        item_state: ItemState,
        error: SafeError | None = None,
        state: Json | None = None,
    ) -> None:
        """Record the final state of an item; a write, or possible write, is also noted on the
        timeline of the run."""
        item.state, item.ended_at = item_state, database_now()
        item.outcome_code = error.code if error else ""
        item.outcome_message = error.message if error else ""
        item.outcome_next_step = error.next_step if error else ""
        item.after_hash = "" if state is None else bodies.state_hash(state)
        item.save(update_fields=_OUTCOME_COLUMNS)
        if item.is_written:
            note = f"{item.name}: {item.result_label.lower()} ({_content(item)})."
            if error and item_state == ItemState.VERIFIED:
                note += f" {error.message}"
            self._run.add_note(note)


def _unread(item: RestoreItem) -> str:
    """The parts of the object that its backup does not contain; empty if it contains everything."""
    kind = KIND.get(item.kind)
    if kind is None or item.version is None:
        return ""
    payload = item.version.payload
    lacking = kind.lacking(payload) if kind.lacking else []
    return ", ".join([*kind.unread(payload), *lacking])


def _content(item: RestoreItem) -> str:
    """The object and its content before and after: enough to identify both later."""
    graph_id = item.result_id or item.written_id
    before, after = item.before_hash[:12] or "new", item.after_hash[:12] or "?"
    return f"{graph_id}, {before} → {after}" if graph_id else f"{before} → {after}"
