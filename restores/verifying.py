"""Read an object back after a write, and record whether it is what was written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.utils.dateparse import parse_datetime

from operations.reasons import SafeError
from operations.worker.active_run import CancelRequested
from providers.graph.errors import GraphError
from providers.graph.policy_kind import Capture
from restores import bodies
from restores.bodies import Json
from restores.item_log import ItemLog
from restores.reading import LiveTenant
from restores.target import PlannedWrite

#: A write may take a moment to become visible: seconds to wait before each read.
READ_BACK_DELAYS = (0.0, 0.5, 1.0, 2.0, 4.0)
#: How far the clocks of Microsoft and of this machine may differ.
MAX_CLOCK_SKEW = dt.timedelta(minutes=5)


class Verifier:
    """Reads objects back, several times if need be, and records the result of the comparison."""

    def __init__(self, live: LiveTenant, log: ItemLog, sleep: Callable[[float], None]) -> None:
        self._live = live
        self._log = log
        self._sleep = sleep

    def verify(self, write: PlannedWrite) -> None:
        """Record whether an object whose write was accepted is as it was written.

        Raises:
            CancelRequested: the run was canceled meanwhile; the item is recorded.
        """
        item = write.item
        try:
            captured = self._read_back(write, item.result_id)
        except CancelRequested:
            self._log.unknown(item, "restore_not_read_back")
            raise
        if captured is None:
            self._log.unknown(item, "restore_not_read_back")
            return
        state = write.target.current_state(captured)
        if write.is_fulfilled_by(captured):
            self._log.verified(item, state)
        else:
            self._log.differs(item, SafeError("restore_differs"), state)

    def resolve_lost_update(self, write: PlannedWrite) -> None:
        """Record the outcome of an update whose response was lost, by the object's current state:
        as expected, as before, or neither."""
        item = write.item
        graph_id = item.result_id or item.written_id
        captured = self._read_back(write, graph_id)
        if captured is None:
            self._log.unknown(item, "restore_unknown")
            return
        state = write.target.current_state(captured)
        if write.is_fulfilled_by(captured):
            self._log.applied(item, graph_id)
            self._log.verified(item, state)
        elif bodies.state_hash(state) == item.before_hash:
            self._log.unknown(item, "restore_not_seen")
        else:
            self._log.unknown(item, "restore_unknown", state)

    def find_created(self, write: PlannedWrite) -> tuple[str, Json] | None:
        """The id and state of the object that a request with a lost response created.

        It is the only new one of its name, was created after the intent, and has the content that
        was sent. Any other object may have been created by a person, so the result is then None.
        """
        body = bodies.create_body(write.kind, write.state)
        for delay in READ_BACK_DELAYS:
            self._sleep(delay)
            try:
                named = self._live.find_by_name(write.target, max_age=0)
                new_ids = {str(each["id"]) for each in named}.difference(write.earlier_ids)
                if len(new_ids) != 1:
                    continue
                captured = self._live.read(write.target, *new_ids)
            except GraphError:
                continue
            if not captured.complete:
                continue
            state = write.target.current_state(captured)
            has_sent_content = bodies.is_same_json(bodies.create_body(write.kind, state), body)
            if has_sent_content and _is_created_after(captured.payload, write.item.intent_at):
                return str(captured.payload["id"]), state
        return None

    def _read_back(self, write: PlannedWrite, graph_id: str) -> Capture | None:
        """The object as soon as it is as expected, else as it was last read completely.

        None if it could not be read.
        """
        latest = None
        for delay in READ_BACK_DELAYS:
            self._sleep(delay)
            try:
                captured = self._live.read(write.target, graph_id)
            except GraphError:
                continue
            if captured.complete:
                latest = captured
            if latest and write.is_fulfilled_by(latest):
                break
        return latest


def _is_created_after(payload: Json, intent_at: dt.datetime | None) -> bool:
    """Whether an object was created after the intent; True where its time does not say."""
    text = payload.get("createdDateTime")
    try:
        created_at = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        created_at = None
    if created_at is None or created_at.tzinfo is None or intent_at is None:
        return True
    return created_at >= intent_at - MAX_CLOCK_SKEW
