"""The execution: write exactly what was previewed, and know of each object what became of it.

Before each write the intent is on the item's row; after it, what reading back showed. An answer that
is lost on the wire is never met with the same write again: reading back decides, or nobody knows.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from backups import sets
from backups.models import BackupSet, SetPurpose
from operations.reasons import Blocked, SafeError
from operations.worker.active_run import ActiveRun, CancelRequested
from providers.graph.client import GraphClient
from providers.graph.errors import Gone, GraphError, UnknownWriteOutcome
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Captured, PolicyKind, in_sentence
from providers.handling import raise_if_blocking
from restores import bodies, planning
from restores.bodies import Json
from restores.models import (
    Action,
    Assignments,
    ItemState,
    RestoreItem,
    RestoreRun,
)
from restores.previewing import in_order, options_of, put_back, there
from restores.reading import FRESH_SECONDS, LOCATIONS, LiveTenant, may_be_made, type_of

#: Kinds whose objects are changed by putting a whole one in their place.
REPLACED = frozenset({"settings_catalog"})
#: What was written may take a moment to be seen: seconds before each look.
LOOKS = (0.0, 0.5, 1.0, 2.0, 4.0)
#: How far Microsoft's clock and ours may be apart.
CLOCKS_APART = dt.timedelta(minutes=5)


class Execution:
    """One run's execution of one restore."""

    def __init__(
        self,
        run: ActiveRun,
        restore: RestoreRun,
        client: GraphClient,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._restore = restore
        self._client = client
        self._live = LiveTenant(client, restore.tenant_id)
        self._options = options_of(restore)
        self._sleep = sleep
        #: The ids that locations of this restore have now, where they have other ones.
        self._new_ids: dict[str, str] = {}
        #: Those of them that the preview has known.
        self._known_ids: dict[str, str] = {}
        #: What replaced objects had, by item, that their backup does not speak of.
        self._untold: dict[int, Json] = {}

    def make(self) -> None:
        """Back up the targets, then write each object that is to be written.

        Raises:
            Blocked: the items are not those of the preview.
            StopRun: somebody cancelled it; what is written stays written.
        """
        items = in_order(self._restore)
        if planning.digest(items, self._options) != self._restore.preview_digest:
            raise Blocked("restore_not_as_previewed")
        self._run.expect(len(items))
        wanted = [item for item in items if item.will_be_written]
        self._know_locations(items)
        for item in items:
            if item not in wanted:
                self._leave(item)
        kept = self._back_up(wanted)
        for item in wanted:
            self._run.checkpoint()
            self._write(item, is_kept=item.pk in kept)

    # --- before -----------------------------------------------------------------------------------

    def _know_locations(self, items: list[RestoreItem]) -> None:
        """The locations that are there as the backup has them, under other ids; and, before anything
        is written, those that earlier restores have put back."""
        self._live.ids_of(LOCATIONS, "")
        self._known_ids = {
            item.graph_id: item.target_id
            for item in items
            if item.kind == LOCATIONS
            and item.action == Action.UNCHANGED
            and item.target_id != item.graph_id
        }
        self._new_ids = dict(self._known_ids)

    def _leave(self, item: RestoreItem) -> None:
        why = {
            Action.UNCHANGED: "it is as the backup has it",
            Action.BLOCKED: "it is blocked",
            Action.CONFLICT: "what is there was to be kept",
        }.get(Action(item.action), "it was not previewed")
        kept = SafeError("restore_kept", why=why)
        self._settle(item, ItemState.SKIPPED, kept)
        self._run.skipped(_key(item), kept, label=item.name)
        if item.action == Action.BLOCKED:
            self._run.note(f"{item.name}: {item.message}")

    def _back_up(self, items: list[RestoreItem]) -> set[int]:
        """Keep what the targets are now in a set of its own; the items of which it was read."""
        self._run.phase("Backing up what is there")
        read: dict[int, Captured] = {}
        for item in items:
            self._run.checkpoint()
            try:
                captured = self._present(KIND[item.kind], item)
            except GraphError as error:
                raise_if_blocking(error)
                continue
            if captured:
                read[item.pk] = captured
        if read:
            self._keep(items, read)
        return set(read)

    def _present(self, kind: PolicyKind, item: RestoreItem) -> Captured | None:
        """The object as it is now; None if there is none to be read, or not any more.

        Raises:
            GraphError: it could not be read.
        """
        if not item.target_id:
            return None
        try:
            return self._live.read(kind, item.target_id, self._type(item))
        except Gone:
            return None

    @transaction.atomic
    def _keep(self, items: list[RestoreItem], read: dict[int, Captured]) -> None:
        kinds = sorted({item.kind for item in items if item.pk in read})
        made = BackupSet.objects.create(
            workspace=self._run.workspace,
            tenant=self._run.tenant,
            operation_run=self._run.run,
            purpose=SetPurpose.SELECTION,
            name=f"Before restore {self._restore.pk}",
            kinds=kinds,
            listed_kinds=kinds,
            started_at=timezone.now(),
        )
        for item in items:
            if captured := read.get(item.pk):
                kind = KIND[item.kind]
                sets.add_listed(made, kind, [{**captured.payload, "id": item.target_id}])
                held = made.items.get(kind=kind.key, graph_id=item.target_id)
                sets.store(held, kind, captured)
        sets.finish(made)
        RestoreRun.objects.filter(pk=self._restore.pk).update(before_set=made)

    # --- one object -------------------------------------------------------------------------------

    def _write(self, item: RestoreItem, *, is_kept: bool) -> None:
        """Write one object, if it is still as the preview saw it: looked at just before."""
        kind = KIND[item.kind]
        self._run.phase(f"Writing {in_sentence(kind.label_plural)}")
        try:
            present = self._present(kind, item)
            state = self._state(kind, item)
            refusal = self._refusal(kind, item, state, present, is_kept=is_kept)
        except GraphError as error:
            raise_if_blocking(error)
            refusal = error
        if refusal:
            self._failed(item, refusal)
            return
        self._intend(item)
        state = bodies.with_ids(state, self._new_ids)
        try:
            self._carry_out(kind, item, state, lambda: self._send(kind, item, state, present))
        except CancelRequested:
            self._stopped(item)
            raise

    def _state(self, kind: PolicyKind, item: RestoreItem) -> Json:
        """What the object shall be, as the preview has said it.

        Raises:
            GraphError: the locations that it refers to could not be read.
        """
        state = bodies.wanted(kind, self._payload(item), self._options)
        put = put_back(self._live, bodies.references(state))
        return bodies.with_ids(state, self._known_ids | put)

    def _refusal(
        self,
        kind: PolicyKind,
        item: RestoreItem,
        state: Json,
        present: Captured | None,
        *,
        is_kept: bool,
    ) -> SafeError | None:
        """Why the object must not be written any more, if so.

        Raises:
            GraphError: something that has to be known could not be read.
        """
        if present and not is_kept:
            return SafeError("restore_live_unreadable")
        if self._has_moved(kind, item, present):
            return SafeError("restore_moved_since_preview")
        if bodies.state_hash(state) != item.wanted_hash:
            return SafeError("restore_not_as_previewed")
        since = self._restore.previewed_at if item.choice else None
        if not item.target_id and may_be_made(self._restore.tenant_id, item, since=since):
            return SafeError("restore_may_be_made")
        return self._missing(bodies.with_ids(state, self._new_ids))

    def _has_moved(self, kind: PolicyKind, item: RestoreItem, present: Captured | None) -> bool:
        """Whether the object is another than the preview saw, or is there although it was not."""
        if not item.target_id:
            return self._is_there(kind, item)
        if present is None or not present.complete:
            return True
        return bodies.state_hash(self._comparable(kind, item, present)) != item.live_hash

    def _is_there(self, kind: PolicyKind, item: RestoreItem) -> bool:
        """Whether an object that was gone is there: under an id it has had, or by its name."""
        same = self._same_name(kind, item, fresh=FRESH_SECONDS)
        return bool(same) or not self._live.ids(kind.key).isdisjoint(
            self._live.ids_of(kind.key, item.graph_id)
        )

    def _same_name(self, kind: PolicyKind, item: RestoreItem, *, fresh: float) -> list[Json]:
        name = kind.name_of(self._payload(item))
        return self._live.named(kind, name, self._type(item), fresh=fresh)

    def _missing(self, state: Json) -> SafeError | None:
        """What the object refers to and the tenant does not have now."""
        found = bodies.references(state)
        coming = frozenset(self._new_ids.values()) - frozenset(self._known_ids.values())
        return planning.missing_reference(found, there(self._live, found, coming))

    def _carry_out(
        self, kind: PolicyKind, item: RestoreItem, state: Json, write: Callable[[], None]
    ) -> None:
        """Write, and say what became of the object however Microsoft answers, or does not."""
        try:
            write()
        except UnknownWriteOutcome as error:
            self._note_lost(item, error)
            self._read_back(kind, item, state)
        except GraphError as error:
            self._refused(item, error)
            raise_if_blocking(error)
        else:
            self._verify(kind, item, state)

    def _send(
        self, kind: PolicyKind, item: RestoreItem, state: Json, present: Captured | None
    ) -> None:
        """Write the object with everything that belongs to it."""
        had = self._comparable(kind, item, present) if present else {}
        if present and kind.key in REPLACED:
            payload = self._payload(item)
            self._untold[item.pk] = bodies.untold(kind, present.payload, payload, self._options)
        if item.target_id:
            self._change(kind, item, state, had)
        else:
            made = self._client.post(kind.list_path, bodies.body_to_create(kind, state))
            self._applied(item, str(made["id"]))
            self._live.add(kind.key, made)
        self._complete(kind, item, state, had)

    def _change(self, kind: PolicyKind, item: RestoreItem, state: Json, had: Json) -> None:
        path = self._path(kind, item, item.target_id)
        if kind.key in REPLACED:
            self._client.put(path, bodies.body_to_create(kind, state))
        elif (body := bodies.body_to_change(kind, state, had)).keys() - {"@odata.type"}:
            self._client.patch(path, body)
        else:
            return
        self._applied(item, item.target_id)

    def _complete(self, kind: PolicyKind, item: RestoreItem, state: Json, had: Json) -> None:
        """Write what belongs to an object and has an action of its own.

        Assignments are replaced as a whole, and only where the restore is about them and they are
        other ones; `had` is what was read of them just before.
        """
        graph_id = item.result_id or item.target_id
        path = self._path(kind, item, graph_id)
        actions = bodies.actions(kind, state, had, is_new=not item.target_id)
        for action, body in actions + self._assign(state, had):
            self._client.post(f"{path}/{action}", body)
            self._applied(item, graph_id)

    def _assign(self, state: Json, had: Json) -> list[tuple[str, Json]]:
        if self._options.assignments == Assignments.KEEP or "assignments" not in state:
            return []
        if bodies.same(had.get("assignments") or [], state["assignments"]):
            return []
        return [("assign", {"assignments": state["assignments"]})]

    # --- after ------------------------------------------------------------------------------------

    def _verify(self, kind: PolicyKind, item: RestoreItem, state: Json) -> None:
        """Read the object again and say whether it is what was written."""
        try:
            found = self._seen(kind, item, item.result_id, until=state)
        except CancelRequested:
            self._unknown(item, "restore_not_read_back")
            raise
        if found is None:
            self._unknown(item, "restore_not_read_back")
        elif self._is(kind, item, found, state):
            self._verified(kind, item, found)
        else:
            after = self._comparable(kind, item, found)
            self._differs(item, SafeError("restore_differs"), after)

    def _is(self, kind: PolicyKind, item: RestoreItem, found: Captured, state: Json) -> bool:
        """Whether an object is as it was wanted, and has lost nothing that the backup does not
        speak of."""
        if not bodies.same(self._comparable(kind, item, found), state):
            return False
        left = bodies.untold(kind, found.payload, self._payload(item), self._options)
        had = self._untold.get(item.pk, {})
        return all(bodies.same(left.get(name), value) for name, value in had.items())

    def _seen(
        self, kind: PolicyKind, item: RestoreItem, graph_id: str, *, until: Json
    ) -> Captured | None:
        """An object that was just written: looked at until it is as wanted, else as it was seen
        last. None if it cannot be seen."""
        last = None
        for pause in LOOKS:
            self._sleep(pause)
            try:
                found = self._live.read(kind, graph_id, self._type(item))
            except GraphError:
                continue
            last = found if found.complete else last
            if last and self._is(kind, item, last, until):
                break
        return last

    def _note_lost(self, item: RestoreItem, error: GraphError) -> None:
        asked = error.request_id or "unknown"
        self._run.note(f"{item.name}: the answer was lost (request {asked}).")

    def _read_back(self, kind: PolicyKind, item: RestoreItem, state: Json) -> None:
        """The answer was lost: let what is there decide, and write nothing twice."""
        try:
            if item.target_id or item.state == ItemState.APPLIED:
                self._read_back_change(kind, item, state)
            else:
                self._read_back_creation(kind, item, state)
        except CancelRequested:
            if item.settled_at is None:
                self._unknown(item, "restore_unknown")
            raise

    def _read_back_change(self, kind: PolicyKind, item: RestoreItem, state: Json) -> None:
        """A change is decided by what the object is now: as wanted, as before, or neither."""
        graph_id = item.result_id or item.target_id
        found = self._seen(kind, item, graph_id, until=state)
        after = self._comparable(kind, item, found) if found else None
        if found and self._is(kind, item, found, state):
            self._applied(item, graph_id)
            self._verified(kind, item, found)
        elif after is not None and bodies.state_hash(after) == item.before_hash:
            self._unknown(item, "restore_not_seen")
        else:
            self._unknown(item, "restore_unknown", after)

    def _read_back_creation(self, kind: PolicyKind, item: RestoreItem, state: Json) -> None:
        """A creation is decided by what came since: one object of the name, made after the intent,
        with the content that was sent. Anything else may be somebody else's."""
        made = self._made_meanwhile(kind, item, state)
        if made is None:
            self._unknown(item, "restore_unknown")
            return
        self._applied(item, str(made.payload["id"]))
        had = self._comparable(kind, item, made)
        self._carry_out(kind, item, state, lambda: self._complete(kind, item, state, had))

    def _made_meanwhile(self, kind: PolicyKind, item: RestoreItem, state: Json) -> Captured | None:
        """The object that was created by the lost request, if that can be told."""
        sent = bodies.body_to_create(kind, state)
        for pause in LOOKS:
            self._sleep(pause)
            try:
                same = self._same_name(kind, item, fresh=0)
                found = (
                    self._live.read(kind, str(same[0]["id"]), self._type(item)) if same else None
                )
            except GraphError:
                continue
            if found is None or not found.complete:
                continue
            is_ours = len(same) == 1 and _made_after(found.payload, item.intent_at)
            content = bodies.body_to_create(kind, self._comparable(kind, item, found))
            if is_ours and bodies.same(content, sent):
                return found
        return None

    def _stopped(self, item: RestoreItem) -> None:
        """Say what is known of an object within which the run was cancelled.

        A cancellation is seen while the client waits before a request, so nothing of that request
        was sent; reading back would wait again.
        """
        if item.state == ItemState.INTENT:
            self._failed(item, SafeError("restore_stopped_before"))
        elif item.state == ItemState.APPLIED:
            self._differs(item, SafeError("restore_stopped_within"))

    # --- the item's own ledger --------------------------------------------------------------------

    def _intend(self, item: RestoreItem) -> None:
        item.state, item.before_hash = ItemState.INTENT, item.live_hash
        item.intent_at = timezone.now()
        item.save(update_fields=["state", "before_hash", "intent_at"])
        self._run.note(f"{item.name}: about to be written ({_content(item)}).")
        # A worker that dies now leaves the intent: whoever looks knows that nobody knows.
        self._run.flush()

    def _applied(self, item: RestoreItem, result_id: str) -> None:
        """Note that Microsoft has accepted a first write of the object."""
        if item.state == ItemState.APPLIED:
            return
        item.state, item.result_id = ItemState.APPLIED, result_id
        item.save(update_fields=["state", "result_id"])
        if item.kind == LOCATIONS and result_id != item.graph_id:
            self._new_ids[item.graph_id] = result_id

    def _verified(self, kind: PolicyKind, item: RestoreItem, found: Captured) -> None:
        self._settle(item, ItemState.VERIFIED, found=self._comparable(kind, item, found))
        updated = int(bool(item.target_id))
        self._run.succeeded(_key(item), label=item.name, updated=updated, created=1 - updated)

    def _refused(self, item: RestoreItem, error: GraphError) -> None:
        """Microsoft refused the object, or something that belongs to it when it was written."""
        if item.state == ItemState.APPLIED:
            self._differs(item, error)
        else:
            self._failed(item, error)

    def _failed(self, item: RestoreItem, error: SafeError) -> None:
        self._settle(item, ItemState.FAILED, error)
        self._run.failed(_key(item), error, label=item.name)

    def _differs(self, item: RestoreItem, error: SafeError, found: Json | None = None) -> None:
        self._settle(item, ItemState.DIFFERS, error, found)
        self._run.failed(_key(item), error, label=item.name)

    def _unknown(self, item: RestoreItem, code: str, found: Json | None = None) -> None:
        error = SafeError(code)
        self._settle(item, ItemState.UNKNOWN, error, found)
        self._run.failed(_key(item), error, label=item.name)

    def _settle(
        self,
        item: RestoreItem,
        state: ItemState,
        error: SafeError | None = None,
        found: Json | None = None,
    ) -> None:
        """Say what became of an item, for ever; what was or may be written stands on the timeline
        of the run too."""
        item.state, item.settled_at = state, timezone.now()
        item.outcome_code = error.code if error else ""
        item.outcome_message = error.message if error else ""
        item.outcome_next_step = error.next_step if error else ""
        item.after_hash = bodies.state_hash(found) if found is not None else ""
        # Only these: retention may let go of the backup set in the same moment.
        item.save(update_fields=_OUTCOME)
        if item.is_written:
            label = item.get_state_display().lower()
            self._run.note(f"{item.name}: {label} ({_content(item)}).")

    # --- of an item -------------------------------------------------------------------------------

    def _payload(self, item: RestoreItem) -> Json:
        payload: Json = item.version.payload if item.version else {}
        return payload

    def _type(self, item: RestoreItem) -> str:
        return type_of(self._payload(item))

    def _comparable(self, kind: PolicyKind, item: RestoreItem, found: Captured) -> Json:
        """What of the object's present state this restore is about."""
        return bodies.present(kind, found.payload, self._payload(item), self._options)

    def _path(self, kind: PolicyKind, item: RestoreItem, graph_id: str) -> str:
        return kind.object_path(
            {"id": graph_id, "@odata.type": self._payload(item).get("@odata.type")}
        )


#: What `_settle` writes.
_OUTCOME = (
    *("state", "settled_at", "after_hash"),
    *("outcome_code", "outcome_message", "outcome_next_step"),
)


def _key(item: RestoreItem) -> str:
    return f"{item.kind}/{item.graph_id}"


def _content(item: RestoreItem) -> str:
    """Which object, and from which content to which: enough to find both again."""
    graph_id = item.result_id or item.target_id
    before, after = item.before_hash[:12] or "new", item.after_hash[:12] or "?"
    return f"{graph_id}, {before} → {after}" if graph_id else f"{before} → {after}"


def _made_after(payload: Json, intent_at: dt.datetime | None) -> bool:
    """Whether an object was created after the intent to, as far as its time tells."""
    told = payload.get("createdDateTime")
    try:
        created = parse_datetime(told) if isinstance(told, str) else None
    except ValueError:
        created = None
    if created is None or created.tzinfo is None or intent_at is None:
        return True
    return created >= intent_at - CLOCKS_APART
