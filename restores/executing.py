"""The execution: write exactly what was previewed, and know of each object what became of it.

Before each write the intent is on the item's row; after it, what reading back showed. An answer that
is lost on the wire is never met with the same write again: reading back decides, or nobody knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone

from backups import sets
from backups.models import BackupSet, SetPurpose
from operations.active_run import ActiveRun
from operations.reasons import Blocked, SafeError
from providers.graph.capture import Captured
from providers.graph.client import GraphClient
from providers.graph.errors import Gone, GraphError, UnknownWriteOutcome
from providers.graph.kinds import KIND, PolicyKind, in_sentence
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
from restores.previewing import in_order, options_of
from restores.reading import LiveTenant, type_of

#: A new object may take a moment to be seen: seconds before each look.
LOOKS = (0.0, 0.5, 1.0, 2.0, 4.0)


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
        self._new_ids: dict[str, str] = {}

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
        for item in items:
            if item not in wanted:
                self._leave(item)
        kept = self._back_up(wanted)
        for item in wanted:
            self._run.checkpoint()
            self._write(item, is_kept=item.pk in kept)

    # --- before -----------------------------------------------------------------------------------

    def _leave(self, item: RestoreItem) -> None:
        why = {
            Action.UNCHANGED: "it is as the backup has it",
            Action.BLOCKED: "it is blocked",
            Action.CONFLICT: "what is there was to be kept",
        }.get(Action(item.action), "it was not previewed")
        code = item.reason_code if item.action == Action.BLOCKED else ""
        self._settle(item, ItemState.SKIPPED, SafeError("restore_kept", why=why))
        self._run.skipped(_key(item), SafeError("restore_kept", why=why), label=item.name)
        if code:
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
            if present and not is_kept:
                self._failed(item, SafeError("restore_live_unreadable"))
                return
            if self._has_moved(kind, item, present):
                self._failed(item, SafeError("restore_moved_since_preview"))
                return
            state = bodies.with_ids(self._wanted(kind, item), self._new_ids)
        except GraphError as error:
            raise_if_blocking(error)
            self._failed(item, error)
            return
        self._intend(item)
        try:
            result_id = self._send(kind, item, state, present)
        except UnknownWriteOutcome as error:
            self._read_back(kind, item, state, error)
        except GraphError as error:
            self._failed(item, error)
            raise_if_blocking(error)
        else:
            self._verify(kind, item, state, result_id)

    def _has_moved(self, kind: PolicyKind, item: RestoreItem, present: Captured | None) -> bool:
        """Whether the object is another than the preview saw, or is there although it was not."""
        if not item.target_id:
            return bool(self._same_name(kind, item))
        if present is None or not present.complete:
            return True
        seen = bodies.comparable(kind, present.payload, self._options)
        return bodies.state_hash(seen) != item.live_hash

    def _same_name(self, kind: PolicyKind, item: RestoreItem) -> list[Json]:
        name = kind.name_of(self._payload(item))
        return self._live.named(kind, name, self._type(item), afresh=True)

    def _send(
        self, kind: PolicyKind, item: RestoreItem, state: Json, present: Captured | None
    ) -> str:
        """Write the object with everything that belongs to it; its id."""
        if not item.target_id:
            made = self._client.post(kind.list_path, bodies.body_to_create(state))
            result_id = str(made["id"])
            self._new_ids[item.graph_id] = result_id
            self._applied(item, result_id)
        else:
            result_id = item.target_id
            self._change(kind, item, state, present)
        self._assign(kind, item, state, result_id, present)
        return result_id

    def _change(
        self, kind: PolicyKind, item: RestoreItem, state: Json, present: Captured | None
    ) -> None:
        path = self._path(kind, item, item.target_id)
        if kind.key == "settings_catalog":
            self._client.put(path, bodies.body_to_create(state))
        else:
            had = bodies.comparable(kind, present.payload, self._options) if present else {}
            self._client.patch(path, bodies.body_to_change(state, had))
        self._applied(item, item.target_id)
        if rules := state.get("scheduledActionsForRule"):
            self._client.post(
                f"{path}/scheduleActionsForRules",
                {"deviceComplianceScheduledActionForRules": rules},
            )

    def _assign(
        self,
        kind: PolicyKind,
        item: RestoreItem,
        state: Json,
        result_id: str,
        present: Captured | None,
    ) -> None:
        """Replace the assignments where the restore is about them and they are other ones."""
        if self._options.assignments == Assignments.KEEP or "assignments" not in state:
            return
        wanted = state["assignments"]
        had = bodies.targets(present.payload.get("assignments")) if present else []
        if had != wanted:
            path = f"{self._path(kind, item, result_id)}/assign"
            self._client.post(path, {"assignments": wanted})

    # --- after ------------------------------------------------------------------------------------

    def _verify(self, kind: PolicyKind, item: RestoreItem, state: Json, result_id: str) -> None:
        """Read the object again and say whether it is what was written."""
        found = self._seen(kind, item, result_id)
        if found is None:
            self._unknown(item)
            return
        is_same = bodies.state_hash(found) == bodies.state_hash(state)
        after = bodies.state_hash(found)
        if is_same:
            self._settle(item, ItemState.VERIFIED, result_id=result_id, after_hash=after)
            updated = int(bool(item.target_id))
            self._run.succeeded(_key(item), label=item.name, updated=updated, created=1 - updated)
        else:
            error = SafeError("restore_differs")
            self._settle(item, ItemState.DIFFERS, error, result_id=result_id, after_hash=after)
            self._run.failed(_key(item), error, label=item.name)

    def _seen(self, kind: PolicyKind, item: RestoreItem, graph_id: str) -> Json | None:
        """The present state of an object that was just written; None if it cannot be seen."""
        for pause in LOOKS:
            self._sleep(pause)
            try:
                found = self._live.read(kind, graph_id, self._type(item))
            except GraphError:
                continue
            if found.complete:
                return bodies.comparable(kind, found.payload, self._options)
        return None

    def _read_back(
        self,
        kind: PolicyKind,
        item: RestoreItem,
        state: Json,
        error: UnknownWriteOutcome,
    ) -> None:
        """The answer was lost: let what is there decide, and write nothing twice."""
        self._run.note(
            f"{item.name}: the answer was lost (request {error.request_id or 'unknown'})."
        )
        if item.target_id or item.graph_id in self._new_ids:
            result_id = item.target_id or self._new_ids[item.graph_id]
            self._settle_by(kind, item, state, result_id, self._seen(kind, item, result_id))
            return
        made = self._made_meanwhile(kind, item)
        if len(made) != 1:
            self._unknown(item)
            return
        result_id = made[0]
        self._new_ids[item.graph_id] = result_id
        self._applied(item, result_id)
        try:
            self._assign(kind, item, state, result_id, None)
        except GraphError as later:
            self._failed_after_write(item, later)
        else:
            self._verify(kind, item, state, result_id)

    def _settle_by(
        self, kind: PolicyKind, item: RestoreItem, state: Json, result_id: str, found: Json | None
    ) -> None:
        """A change is decided by what the object is now: as wanted, as before, or neither."""
        now = bodies.state_hash(found) if found is not None else ""
        if now and now == bodies.state_hash(state):
            if item.state == ItemState.INTENT:
                self._applied(item, result_id)
            self._verify(kind, item, state, result_id)
        elif now and now == item.before_hash:
            self._failed(item, SafeError("restore_not_applied"))
        else:
            self._unknown(item)

    def _made_meanwhile(self, kind: PolicyKind, item: RestoreItem) -> list[str]:
        """The objects of the item's kind and name; just before the write there was none."""
        for pause in LOOKS:
            self._sleep(pause)
            try:
                found = [str(each["id"]) for each in self._same_name(kind, item)]
            except GraphError:
                continue
            if found:
                return found
        return []

    # --- the item's own ledger --------------------------------------------------------------------

    def _intend(self, item: RestoreItem) -> None:
        item.state, item.before_hash, item.intent_at = (
            ItemState.INTENT,
            item.live_hash,
            timezone.now(),
        )
        item.save(update_fields=["state", "before_hash", "intent_at"])
        # A worker that dies now leaves the intent: whoever looks knows that nobody knows.
        self._run.flush()

    def _applied(self, item: RestoreItem, result_id: str) -> None:
        item.state, item.result_id = ItemState.APPLIED, result_id
        item.save(update_fields=["state", "result_id"])

    def _failed(self, item: RestoreItem, error: SafeError) -> None:
        if item.state == ItemState.APPLIED:
            self._failed_after_write(item, error)
            return
        self._settle(item, ItemState.FAILED, error)
        self._run.failed(_key(item), error, label=item.name)

    def _failed_after_write(self, item: RestoreItem, error: SafeError) -> None:
        """The object was written, and something that belongs to it was not: that is a difference."""
        self._settle(item, ItemState.DIFFERS, error)
        self._run.failed(_key(item), error, label=item.name)

    def _unknown(self, item: RestoreItem) -> None:
        error = SafeError("restore_unknown")
        self._settle(item, ItemState.UNKNOWN, error)
        self._run.failed(_key(item), error, label=item.name)

    def _settle(
        self, item: RestoreItem, state: ItemState, error: SafeError | None = None, **columns: str
    ) -> None:
        item.state, item.settled_at = state, timezone.now()
        item.outcome_code = error.code if error else ""
        item.outcome_message = error.message if error else ""
        item.outcome_next_step = error.next_step if error else ""
        for name, value in columns.items():
            setattr(item, name, value)
        item.save()

    # --- of an item -------------------------------------------------------------------------------

    def _payload(self, item: RestoreItem) -> Json:
        payload: Json = item.version.payload if item.version else {}
        return payload

    def _type(self, item: RestoreItem) -> str:
        return type_of(self._payload(item))

    def _wanted(self, kind: PolicyKind, item: RestoreItem) -> Json:
        return bodies.wanted(kind, self._payload(item), self._options)

    def _path(self, kind: PolicyKind, item: RestoreItem, graph_id: str) -> str:
        return kind.object_path(
            {"id": graph_id, "@odata.type": self._payload(item).get("@odata.type")}
        )


def _key(item: RestoreItem) -> str:
    return f"{item.kind}/{item.graph_id}"
