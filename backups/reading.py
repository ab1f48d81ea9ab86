"""Reading a tenant into a backup set, kind by kind and object by object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backups import sets
from backups.changes import previous_of
from backups.models import BackupItem, BackupSet
from operations.models import EventLevel
from operations.reasons import SafeError
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import Gone, GraphError, LicenseMissing
from providers.graph.kinds import KINDS
from providers.graph.policy_kind import PolicyKind, in_sentence
from providers.handling import raise_if_blocking

Json = dict[str, Any]
#: An object to be read: its kind, what the list said of it, its item.
Waiting = tuple[PolicyKind, Json, BackupItem]


class Reader:
    """Reads what a set still lacks. What could not be read is reported and does not stop the rest."""

    def __init__(self, run: ActiveRun, backup_set: BackupSet, client: GraphClient) -> None:
        self._run = run
        self._set = backup_set
        self._client = client
        self._total = 0
        self._unlicensed: list[tuple[PolicyKind, GraphError]] = []

    def read(self, known: Iterable[BackupItem] = ()) -> None:
        """Read every kind that is not listed yet; `known` are objects that an earlier set missed.

        Raises:
            Blocked: the tenant lets nothing of this connection in.
        """
        lacking = [KINDS[key] for key in self._set.missing_kinds if key in KINDS]
        for key in self._set.missing_kinds:
            if key not in KINDS:
                self._kind_failed(key, key, SafeError("kind_unknown", kind=key))
        waiting: list[Waiting] = []
        for kind in lacking:
            waiting += self._list(kind, [item for item in known if item.kind == kind.key])
        self._leave_out_unlicensed()
        for kind, listed, item in waiting:
            self._run.checkpoint()
            self._say(kind)
            self._capture(kind, listed, item)

    # --- listing ----------------------------------------------------------------------------------

    def _list(self, kind: PolicyKind, known: list[BackupItem]) -> list[Waiting]:
        """The objects of a kind that are to be read; their number is added to the expected."""
        self._say(kind, "Listing")
        listed, error = self._listed(kind)
        have = set(self._set.items.filter(kind=kind.key).values_list("graph_id", flat=True))
        wanted = {key: entry for key, entry in listed.items() if key not in have}
        sets.add_listed(self._set, kind, wanted.values())
        self._expect(len(wanted))
        if isinstance(error, LicenseMissing) and not listed:
            self._unlicensed.append((kind, error))
        elif error:
            self._kind_failed(kind.key, kind.label_plural, error)
        else:
            sets.set_listed(self._set, kind.key)
            self._tell_gone(item for item in known if item.graph_id not in listed)
        items = {item.graph_id: item for item in self._set.items.filter(kind=kind.key)}
        return [(kind, entry, items[key]) for key, entry in wanted.items()]

    def _listed(self, kind: PolicyKind) -> tuple[dict[str, Json], GraphError | None]:
        """The objects by id, as far as the list could be read, and what broke it off."""
        found: dict[str, Json] = {}
        try:
            for entry in kind.list_objects(self._client):
                self._run.checkpoint()
                found[entry["id"]] = entry
        except GraphError as error:
            raise_if_blocking(error)
            return found, error
        return found, None

    def _kind_failed(self, key: str, label: str, error: SafeError) -> None:
        self._expect(1)
        sets.set_unlisted(self._set, key, error.code)
        self._run.report_failure(
            f"kind:{key}", error, label=label, link=self._set.get_absolute_url()
        )

    def _leave_out_unlicensed(self) -> None:
        """A kind that the tenant has no license for is left out of the set, and said to be.

        A set of nothing else would be a backup of nothing: then it is a failure.
        """
        for kind, error in self._unlicensed:
            if not self._set.listed_kinds:
                self._kind_failed(kind.key, kind.label_plural, error)
                continue
            self._expect(1)
            sets.leave_out(self._set, kind.key, error.code)
            self._run.report_skip(f"kind:{kind.key}", error, label=kind.label_plural)
            self._warn_of_a_lapse(kind)

    def _warn_of_a_lapse(self, kind: PolicyKind) -> None:
        before = previous_of(self._set)
        if before and (count := before.items.filter(kind=kind.key).count()):
            self._run.add_note(
                f"{kind.label_plural}: the tenant has no license any more, so the {count:,} of "
                f"backup set {before.pk} are not in this one.",
                EventLevel.WARNING,
            )

    def _tell_gone(self, gone: Iterable[BackupItem]) -> None:
        for item in gone:
            self._expect(1)
            self._run.report_skip(_key(item), SafeError("removed_while_running"), label=item.name)

    # --- reading ----------------------------------------------------------------------------------

    def _capture(self, kind: PolicyKind, listed: Json, item: BackupItem) -> None:
        try:
            captured = kind.capture(self._client, listed)
        except Gone:
            sets.set_gone(item)
            self._run.report_skip(_key(item), SafeError("removed_while_running"), label=item.name)
            return
        except GraphError as error:
            raise_if_blocking(error)
            sets.set_failed(item, error.code)
            self._fail(item, error)
            return
        change = sets.store(item, kind, captured)
        if captured.complete:
            link = item.get_absolute_url()
            self._run.report_success(_key(item), label=item.name, link=link, **{change: 1})
        else:
            missing = ", ".join(captured.missing)
            self._fail(item, SafeError("incomplete_capture", missing=missing))

    def _fail(self, item: BackupItem, error: SafeError) -> None:
        self._run.report_failure(_key(item), error, label=item.name, link=item.get_absolute_url())

    # --- telling ----------------------------------------------------------------------------------

    def _say(self, kind: PolicyKind, verb: str = "Reading") -> None:
        self._run.set_phase(f"{verb} {in_sentence(kind.label_plural)}")

    def _expect(self, more: int) -> None:
        self._total += more
        self._run.expect(self._total)


def _key(item: BackupItem) -> str:
    return f"{item.kind}/{item.graph_id}"
