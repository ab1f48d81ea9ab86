"""Reading what a tenant lists into the inventory, and reporting what changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.urls import reverse

from inventory.mirror import Change, Changed, Row, Table, is_empty, retire, upsert
from operations.models import EventLevel
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, LicenseMissing
from providers.graph.policy_kind import PolicyKind, in_sentence
from providers.handling import raise_if_blocking

BATCH = 500
_SAID = {Change.CREATED: "New", Change.UPDATED: "Changed", Change.DELETED: "Gone"}
Json = dict[str, Any]
ToRow = Callable[[PolicyKind, Json], Row]


class Sync:
    """Mirrors kinds of objects into one table.

    Every object counts; those that changed have a line each. The first time, when all of them are
    new, the lines would tell nothing and are left out.
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

    def mirror(self, kind: PolicyKind) -> None:
        """Read a kind to its end. If its list breaks off, nothing of it is marked as gone.

        Raises:
            Blocked: the tenant lets nothing of this connection in.
            StopRun: the run was asked to stop.
        """
        scope = kind.key if "kind" in self._table.key else ""
        quiet = is_empty(self._table, self._run.tenant, kind=scope)
        seen: set[str] = set()
        error = self._read(kind, seen, quiet=quiet)
        if error:
            raise_if_blocking(error)
            self._leave(kind, error, seen)
            return
        gone = retire(self._table, self._run.tenant, seen, kind=scope)
        self._expect(len(gone))
        self._report(kind, gone)
        if gone and not seen:
            self._run.add_note(
                f"{kind.label_plural}: the list came back empty, so all {len(gone)} known ones "
                "are marked as gone. If that is not so, sync again.",
                EventLevel.WARNING,
            )

    def _read(self, kind: PolicyKind, seen: set[str], *, quiet: bool) -> GraphError | None:
        """Write every object that is listed; what broke the list off, if anything did."""
        batch: list[Json] = []
        error = None
        self._say(kind, seen)
        try:
            for entry in kind.list_objects(self._client):
                if entry["id"] in seen:
                    continue
                seen.add(entry["id"])
                batch.append(entry)
                if len(batch) == BATCH:
                    self._write(kind, batch, quiet=quiet)
                    batch = []
                    self._say(kind, seen)
                    self._run.checkpoint()
        except GraphError as broke_off:
            error = broke_off
        self._write(kind, batch, quiet=quiet)
        self._run.checkpoint()
        return error

    def _write(self, kind: PolicyKind, batch: list[Json], *, quiet: bool) -> None:
        rows = [self._row(kind, entry) for entry in batch]
        changed = upsert(self._table, self._run.tenant, rows)
        self._expect(len(batch))
        same = len(batch) - len(changed)
        self._run.tally(succeeded=same, unchanged=same)
        if quiet:
            self._run.tally(succeeded=len(changed), created=len(changed))
        else:
            self._report(kind, changed)

    def _row(self, kind: PolicyKind, entry: Json) -> Row:
        row = self._to_row(kind, entry)
        return {"kind": kind.key, **row} if "kind" in self._table.key else row

    def _report(self, kind: PolicyKind, changes: Iterable[Changed]) -> None:
        slug = self._run.workspace.slug
        for changed in changes:
            self._run.report_success(
                f"{kind.key}/{changed.graph_id}",
                label=f"{_SAID[changed.change]}: {changed.name}",
                link=reverse(self._page, args=[slug, changed.id]),
                **{changed.change.value: 1},
            )

    def _leave(self, kind: PolicyKind, error: GraphError, seen: set[str]) -> None:
        """Say why a kind was not read; that a tenant has no license for it is no failure."""
        self._expect(1)
        is_rightly_left = isinstance(error, LicenseMissing) and not seen
        report = self._run.report_skip if is_rightly_left else self._run.report_failure
        report(f"kind:{kind.key}", error, label=kind.label_plural)

    def _say(self, kind: PolicyKind, seen: set[str]) -> None:
        so_far = f": {len(seen):,} so far" if seen else ""
        self._run.set_phase(f"Listing {in_sentence(kind.label_plural)}{so_far}")

    def _expect(self, more: int) -> None:
        self._total += more
        self._run.expect(self._total)
