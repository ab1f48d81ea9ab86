"""Read the lists of a tenant into the inventory and report what changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.urls import reverse

from inventory.mirror import (
    Change,
    Changed,
    Row,
    Table,
    count_present,
    is_empty,
    mark_missing,
    mark_removed,
    upsert,
)
from operations.models import EventLevel
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import (
    GraphError,
    LicenseMissing,
    PermissionMissing,
)
from providers.graph.permissions import is_required
from providers.graph.policy_kind import PolicyKind, in_sentence
from providers.handling import raise_if_blocking

BATCH = 500
_CHANGE_LABELS = {Change.CREATED: "New", Change.UPDATED: "Changed", Change.DELETED: "Deleted"}
Json = dict[str, Any]
ToRow = Callable[[PolicyKind, Json], Row]


class Sync:
    """Mirrors kinds of objects into one table.

    Every object is counted, and each changed one is an item of the run. The first sync records no
    items: all objects would be new.
    """

    def __init__(
        self, run: ActiveRun, client: GraphClient, table: Table, to_row: ToRow, page: str
    ) -> None:
        self._run = run
        self._client = client
        self._table = table
        self._to_row = to_row
        self._page = page
        self._total = 0

    def mirror(self, kind: PolicyKind) -> bool:
        """Read a kind completely. If its list is incomplete, no object is marked as missing.

        Returns whether it is complete.

        Raises:
            Blocked: the tenant rejects the connection.
            StopRun: the run was asked to stop.
        """
        scope = kind.key if "kind" in self._table.key else ""
        is_first = is_empty(self._table, self._run.tenant, kind=scope)
        ids: set[str] = set()
        error = self._read(kind, ids, is_first=is_first)
        if error:
            raise_if_blocking(error)
            is_left_out = _can_be_left_out(kind, error) and not ids
            report = self._run.report_skip if is_left_out else self._run.report_failure
            self._expect(1)
            report(f"kind:{kind.key}", error, label=kind.label_plural)
            return False
        missing = mark_missing(self._table, self._run.tenant, ids, kind=scope)
        self._expect(len(missing))
        self._report(kind, missing)
        if missing and not ids:
            self._run.add_note(
                f"{kind.label_plural}: the list is empty, so all {len(missing)} known objects are "
                "marked as deleted in the tenant. If that is wrong, sync again.",
                EventLevel.WARNING,
            )
        return True

    def apply(self, kind: PolicyKind, entries: list[Json], removed: Collection[str]) -> None:
        """Write the changed objects of a table with one kind and mark the removed ones.

        Every other known object is counted as unchanged.
        """
        for first in range(0, len(entries), BATCH):
            self._run.checkpoint()
            self._write(kind, entries[first : first + BATCH], is_first=False)
        missing = mark_removed(self._table, self._run.tenant, removed)
        self._expect(len(missing))
        self._report(kind, missing)
        unchanged = count_present(self._table, self._run.tenant) - len(entries)
        self._expect(unchanged)
        self._run.tally(succeeded=unchanged, unchanged=unchanged)

    def _read(self, kind: PolicyKind, ids: set[str], *, is_first: bool) -> GraphError | None:
        """Write the listed objects and add their ids; return the error that ended the list."""
        batch: list[Json] = []
        repeated = 0
        error: GraphError | None = None
        phase = f"Listing {in_sentence(kind.label_plural)}"
        self._run.set_phase(phase)
        try:
            for entry in kind.list_objects(self._client):
                if entry["id"] in ids:
                    repeated += 1
                    continue
                ids.add(entry["id"])
                batch.append(entry)
                if len(batch) == BATCH:
                    self._write(kind, batch, is_first=is_first)
                    batch = []
                    self._run.set_phase(phase, f"{len(ids):,} so far")
                    self._run.checkpoint()
        except GraphError as list_error:
            error = list_error
        if repeated and not error:
            error = kind.repeated(repeated)
        self._write(kind, batch, is_first=is_first)
        self._run.checkpoint()
        return error

    def _write(self, kind: PolicyKind, batch: list[Json], *, is_first: bool) -> None:
        rows = [self._to_row(kind, entry) for entry in batch]
        if "kind" in self._table.key:
            rows = [{"kind": kind.key, **row} for row in rows]
        changed = upsert(self._table, self._run.tenant, rows)
        self._expect(len(batch))
        unchanged = len(batch) - len(changed)
        self._run.tally(succeeded=unchanged, unchanged=unchanged)
        if is_first:
            self._run.tally(succeeded=len(changed), created=len(changed))
        else:
            self._report(kind, changed)

    def _report(self, kind: PolicyKind, changes: Iterable[Changed]) -> None:
        slug = self._run.workspace.slug
        for changed in changes:
            self._run.report_success(
                f"{kind.key}/{changed.graph_id}",
                label=f"{_CHANGE_LABELS[changed.change]}: {changed.name}",
                link=reverse(self._page, args=[slug, changed.id]),
                **{changed.change.value: 1},
            )

    def _expect(self, count: int) -> None:
        self._total += count
        self._run.expect(self._total)


def _can_be_left_out(kind: PolicyKind, error: GraphError) -> bool:
    """Whether it is no failure that a kind cannot be listed: the tenant has no license for it, or
    the connection no permission that every connection is to have."""
    if isinstance(error, LicenseMissing):
        return True
    return isinstance(error, PermissionMissing) and not is_required(kind)
