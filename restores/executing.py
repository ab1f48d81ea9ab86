"""The execution of a restore: write exactly what was previewed, and record the outcome per object.

Before each write, the intent is stored on the item's row; after it, what reading the object back
showed. A write whose response was lost is never sent again: reading back decides, or the outcome
stays unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun, CancelRequested
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, UnknownWriteOutcome
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Capture, in_sentence
from providers.handling import raise_if_blocking
from restores import bodies, planning
from restores.before_set import save_before_set
from restores.item_log import ItemLog
from restores.loading import load_items, options_of
from restores.models import ItemState, RestoreRun
from restores.preconditions import Preconditions, RestoredIds
from restores.reading import LiveTenant
from restores.target import PlannedWrite, Target
from restores.verifying import Verifier
from restores.writing import Writer


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
        self._options = options_of(restore)
        self._items = load_items(restore)
        self._live = LiveTenant(client, restore.tenant_id, run.checkpoint)
        self._restored = RestoredIds(self._items)
        self._preconditions = Preconditions(restore, self._live, self._restored)
        self._log = ItemLog(run)
        self._writer = Writer(client, self._live, self._log)
        self._verifier = Verifier(self._live, self._log, sleep)

    def execute(self) -> None:
        """Back up the targets, then write each object that is to be written.

        Raises:
            Blocked: the items are not those of the preview.
            StopRun: the run was canceled; what is written stays written.
        """
        if planning.digest(self._items, self._options) != self._restore.preview_digest:
            raise Blocked("restore_not_as_previewed")
        self._run.expect(len(self._items))
        # What earlier restores created has to be known before this one writes.
        for item in self._items:
            for reference in KIND[item.kind].all_references if item.kind in KIND else ():
                for kind_key in (reference.kind, *KIND[reference.kind].includes):
                    self._live.load_successors(kind_key)
        for item in self._items:
            if not item.will_be_written:
                self._log.skipped(item)
        targets = [Target.of(item, self._options) for item in self._items if item.will_be_written]
        backed_up = self._back_up(targets)
        for target in targets:
            self._run.checkpoint()
            self._write(target, is_backed_up=target.item.pk in backed_up)

    def _back_up(self, targets: list[Target]) -> set[int]:
        """Store the current configuration of the targets in a backup set.

        Returns the ids of the items whose object could be read.
        """
        self._run.set_phase("Backing up the current configuration")
        captures = []
        for target in targets:
            self._run.checkpoint()
            try:
                captured = self._read_current(target)
            except GraphError as error:
                raise_if_blocking(error)
                continue
            if captured:
                captures.append((target, captured))
        if captures:
            save_before_set(self._run, self._restore, captures)
        return {target.item.pk for target, _ in captures}

    def _read_current(self, target: Target) -> Capture | None:
        """The object as it is now; None if it does not exist.

        Raises:
            GraphError: it could not be read.
        """
        graph_id = target.item.written_id
        return self._live.read_or_none(target, graph_id) if graph_id else None

    def _write(self, target: Target, *, is_backed_up: bool) -> None:
        """Write one object, if it is still as the preview saw it: it is read again just before."""
        self._run.set_phase(f"Writing {in_sentence(target.kind.label_plural)}")
        try:
            live = self._read_current(target)
            state = self._preconditions.state_as_previewed(target)
            refusal = self._preconditions.refusal(target, state, live, is_backed_up=is_backed_up)
            earlier_ids = self._ids_before(target)
        except GraphError as error:
            raise_if_blocking(error)
            refusal = error
        if refusal:
            self._log.failed(target.item, refusal)
            return
        self._log.intent(target.item)
        state = bodies.replace_ids(target.kind, state, self._restored.current)
        write = PlannedWrite(target, state, live, earlier_ids)
        try:
            self._carry_out(write, lambda: self._writer.send(write))
        except CancelRequested:
            self._log.stopped(target.item)
            raise

    def _ids_before(self, target: Target) -> frozenset[str]:
        """The ids of the target's kind before the target is created; empty for an update."""
        if target.item.written_id:
            return frozenset()
        return self._live.ids(target.kind.key)

    def _carry_out(self, write: PlannedWrite, send: Callable[[], None]) -> None:
        """Send the requests of a write, and record its outcome whether or not Graph answers."""
        try:
            send()
        except UnknownWriteOutcome as error:
            self._log.answer_lost(write.item, error)
            self._resolve_lost_write(write)
        except GraphError as error:
            self._log.refused(write.item, error)
            raise_if_blocking(error)
        else:
            self._verifier.verify(write)

    def _resolve_lost_write(self, write: PlannedWrite) -> None:
        """Let the object's current state decide after a lost response; send no request twice."""
        item = write.item
        try:
            if item.written_id or item.state == ItemState.APPLIED:
                self._verifier.resolve_lost_update(write)
            else:
                self._resolve_lost_creation(write)
        except CancelRequested:
            if item.ended_at is None:
                self._log.unknown(item, "restore_unknown")
            raise

    def _resolve_lost_creation(self, write: PlannedWrite) -> None:
        """Continue with the object that the lost request created, if it can be identified."""
        created = self._verifier.find_created(write)
        if created is None:
            self._log.unknown(write.item, "restore_unknown")
            return
        graph_id, state = created
        self._log.applied(write.item, graph_id)
        self._carry_out(write, lambda: self._writer.complete(write, state))
