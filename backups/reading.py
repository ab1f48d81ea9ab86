"""Read a tenant into a backup set, kind by kind and object by object."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.conf import settings

from backups import sets
from backups.changes import previous_of
from backups.models import BackupItem, BackupSet
from operations.models import EventLevel
from operations.reasons import SafeError
from operations.services import RunNoLongerActive
from operations.worker.active_run import ActiveRun, LeaseLost
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, LicenseMissing, ObjectNotFound
from providers.graph.kinds import KINDS
from providers.graph.many import Outcome
from providers.graph.policy_kind import Capture, PolicyKind, in_sentence
from providers.handling import raise_if_blocking, read_many
from tenancy.db import call_function

Json = dict[str, Any]
#: So many objects are in memory while a tenant with any number of them is listed and read.
AT_ONCE = 500
#: Objects that were read are stored together: so many, or those of so many seconds.
STORED_AT_ONCE, STORED_AFTER_SECONDS = 20, 1.0


@dataclass(frozen=True, slots=True)
class Pending:
    """An object that was listed: what is needed of its entry to read it, and its item."""

    kind: PolicyKind
    listed: Json
    item_id: int


class Reader:
    """Reads what a set lacks. An object that cannot be read is reported and does not stop the rest."""

    def __init__(self, run: ActiveRun, backup_set: BackupSet, client: GraphClient) -> None:
        self._run = run
        self._set = backup_set
        self._client = client
        self._total = self._reused = 0
        self._read: list[tuple[BackupItem, PolicyKind, Capture]] = []
        self._stored_at = 0.0
        self._unlicensed: list[tuple[PolicyKind, GraphError]] = []

    def read(self, missed_items: Iterable[BackupItem] = ()) -> None:
        """Read every kind that is not listed yet; `missed_items` are those of an earlier set.

        Raises:
            Blocked: the tenant rejects the connection.
        """
        kinds = [KINDS[key] for key in self._set.missing_kinds if key in KINDS]
        for key in self._set.missing_kinds:
            if key not in KINDS:
                self._report_failed_kind(key, key, SafeError("kind_unknown", kind=key))
        pending: list[Pending] = []
        for kind in kinds:
            pending += self._list(kind, [item for item in missed_items if item.kind == kind.key])
        self._leave_out_unlicensed()
        self._capture_all(pending)

    # --- listing ----------------------------------------------------------------------------------

    def _list(self, kind: PolicyKind, missed_items: list[BackupItem]) -> list[Pending]:
        """List a kind and add an item for each new object; return the objects to read."""
        self._run.set_phase(f"Listing {in_sentence(kind.label_plural)}")
        members = self._set.items.filter(memberships__kind=kind.key)
        existing = set(members.values_list("graph_id", flat=True))
        listed: dict[str, Json] = {}
        reused_before = self._reused
        error = self._read_list(kind, listed, existing)
        new = {graph_id: entry for graph_id, entry in listed.items() if graph_id not in existing}
        self._expect(len(new))
        self._report_unchanged(self._reused - reused_before)
        if isinstance(error, LicenseMissing) and not listed:
            self._unlicensed.append((kind, error))
        elif error:
            self._report_failed_kind(kind.key, kind.label_plural, error)
        else:
            sets.set_listed(self._set, kind.key)
            for item in missed_items:
                if item.graph_id not in listed:
                    self._expect(1)
                    self._report_removed(item)
        items = dict(self._set.own_items.filter(kind=kind.key).values_list("graph_id", "pk"))
        return [Pending(kind, new[key], items[key]) for key in new if key in items]

    def _read_list(
        self, kind: PolicyKind, listed: dict[str, Json], existing: set[str]
    ) -> GraphError | None:
        """Add an item for each object that is not `existing`, as far as the list can be read.

        `listed` gets what is needed of each entry to read the object, by its Graph id.

        Returns:
            The error that ended the list.
        """
        entries: dict[str, Json] = {}
        left_out: Counter[str] = Counter()
        count = 0

        def add() -> None:
            known = existing | listed.keys()
            new = [entry for key, entry in entries.items() if key not in known]
            self._reused += sets.add_listed(
                self._set,
                kind,
                new,
                reads_encrypted_values=self._client.reads_encrypted_values,
                reuse_days=settings.BACKUP_FULL_READ_DAYS,
            )
            listed.update({key: kind.needed_of(entry) for key, entry in entries.items()})
            entries.clear()

        try:
            for entry in kind.list_objects(self._client, left_out):
                self._run.checkpoint()
                count += 1
                entries[entry["id"]] = entry
                if len(entries) == AT_ONCE:
                    add()
        except GraphError as error:
            raise_if_blocking(error)
            add()
            return error
        add()
        self._note_left_out(kind, left_out)
        if count > len(listed):
            return kind.repeated(count - len(listed))
        return None

    def _note_left_out(self, kind: PolicyKind, left_out: Counter[str]) -> None:
        if not left_out:
            return
        sets.set_left_out(self._set, kind.key, left_out)
        types = ", ".join(f"{count:,} {name}" for name, count in sorted(left_out.items()))
        self._run.add_note(
            f"{kind.label_plural}: Runledger does not back up objects of these types: {types}.",
            EventLevel.WARNING,
        )

    def _report_failed_kind(self, key: str, label: str, error: SafeError) -> None:
        self._expect(1)
        sets.set_unlisted(self._set, key, error.code)
        self._run.report_failure(
            f"kind:{key}", error, label=label, link=self._set.get_absolute_url()
        )

    def _leave_out_unlicensed(self) -> None:
        """Leave the kinds that the tenant has no license for out of the set, and report them.

        If no other kind was listed, they are failures: the set would be an empty backup.
        """
        for kind, error in self._unlicensed:
            if not self._set.listed_kinds:
                self._report_failed_kind(kind.key, kind.label_plural, error)
                continue
            self._expect(1)
            sets.leave_out(self._set, kind.key, error.code)
            self._run.report_skip(f"kind:{kind.key}", error, label=kind.label_plural)
            previous = previous_of(self._set)
            if previous and (count := previous.items.filter(memberships__kind=kind.key).count()):
                self._run.add_note(
                    f"{kind.label_plural}: the tenant no longer has a license, so the {count:,} of "
                    f"backup set {previous.pk} are not in this one.",
                    EventLevel.WARNING,
                )

    # --- reading ----------------------------------------------------------------------------------

    def _capture_all(self, pending: list[Pending]) -> None:
        """Read and store the objects in their order; the next ones are read in the meantime."""
        captures = (partial(_capture, each.kind, each.listed) for each in pending)
        self._stored_at = time.monotonic()
        try:
            with read_many(self._run, self._client, captures) as outcomes:
                for kind, item in self._items(pending):
                    self._run.checkpoint()
                    self._run.set_phase(f"Reading {in_sentence(kind.label_plural)}")
                    self._store(kind, item, next(outcomes))
        except (LeaseLost, RunNoLongerActive):
            # The run is ended by others, who finish its set.
            self._read.clear()
            raise
        finally:
            self._store_read()
        if self._reused:
            self._run.add_note(
                f"{self._reused:,} of {self._reused + len(pending):,} objects have not changed "
                "since they were read for an earlier backup set, so they were not read again."
            )

    def _items(self, pending: list[Pending]) -> Iterator[tuple[PolicyKind, BackupItem]]:
        """The kind and the item of each object."""
        for first in range(0, len(pending), AT_ONCE):
            some = pending[first : first + AT_ONCE]
            items = self._set.own_items.in_bulk([each.item_id for each in some])
            for each in some:
                yield each.kind, items[each.item_id]

    def _store(self, kind: PolicyKind, item: BackupItem, outcome: Outcome[Capture]) -> None:
        try:
            captured = outcome.get()
        except ObjectNotFound:
            call_function("backup_items_remove", item.pk)
            self._report_removed(item)
            return
        except GraphError as error:
            raise_if_blocking(error)
            sets.set_failed(item, error.code)
            self._report_failed_item(item, error)
            return
        if captured.complete:
            self._read.append((item, kind, captured))
            is_due = time.monotonic() - self._stored_at >= STORED_AFTER_SECONDS
            if is_due or len(self._read) == STORED_AT_ONCE:
                self._store_read()
            return
        sets.store(item, kind, captured)
        missing = ", ".join(captured.missing)
        self._report_failed_item(item, SafeError("incomplete_capture", missing=missing))

    def _store_read(self) -> None:
        """Store and report the objects that were read completely."""
        read, self._read = self._read, []
        self._stored_at = time.monotonic()
        changes = sets.store_complete(self._set, read) if read else []
        for (item, _, _), change in zip(read, changes, strict=True):
            if change == "unchanged":
                self._report_unchanged(1)
            else:
                self._report_stored(item, change)

    def _report_stored(self, item: BackupItem, change: str) -> None:
        link = item.get_absolute_url()
        self._run.report_success(_key(item), label=item.name, link=link, **{change: 1})

    def _report_unchanged(self, count: int) -> None:
        """Count unchanged objects; only the set names them."""
        self._run.tally(succeeded=count, unchanged=count)

    def _report_removed(self, item: BackupItem) -> None:
        self._run.report_skip(_key(item), SafeError("removed_while_running"), label=item.name)

    def _report_failed_item(self, item: BackupItem, error: SafeError) -> None:
        self._run.report_failure(_key(item), error, label=item.name, link=item.get_absolute_url())

    def _expect(self, count: int) -> None:
        self._total += count
        self._run.expect(self._total)


def _capture(kind: PolicyKind, entry: Json, client: GraphClient) -> Capture:
    return kind.capture(client, entry)


def _key(item: BackupItem) -> str:
    return f"{item.kind}/{item.graph_id}"
