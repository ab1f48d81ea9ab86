"""The tenant's current objects, as a preview or an execution of a restore reads them."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from functools import partial
from typing import Any
from urllib.parse import quote

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import F

from backups.models import BackupItem, SetItem
from inventory.models import DirectoryGroup, Policy
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, ObjectNotFound
from providers.graph.kinds import KIND
from providers.graph.many import ManyReads, Outcome
from providers.graph.policy_kind import Capture, PolicyKind
from restores import bodies
from restores.bodies import Json
from restores.models import Decision, ItemState, RestoreItem
from restores.planning import LiveObject
from restores.target import Target
from tenancy.db import database_now

#: Graph shows a new object within minutes; one that is not visible after this time does not exist.
CREATION_VISIBLE_AFTER = dt.timedelta(hours=1)
#: The maximum age, in seconds, of a list that shows that a name is free. Listing again for every
#: new object would read all of them each time.
LIST_MAX_AGE_SECONDS = 60.0


class LiveTenant:
    """A tenant's current objects: lists are read once, single objects each time."""

    def __init__(
        self, client: GraphClient, tenant_id: int, on_tick: Callable[[], None] = lambda: None
    ) -> None:
        """`on_tick` is called while objects are looked up; it can raise to stop."""
        self._client = client
        self._tenant_id = tenant_id
        self._on_tick = on_tick
        #: Whether objects that are looked up exist, by kind and id.
        self._exists: dict[tuple[str, str], bool] = {}
        self._lists: dict[str, list[Json] | GraphError] = {}
        self._listed_at: dict[str, float] = {}
        self._successors: dict[str, dict[str, str]] = {}
        #: Captures that were read ahead, by kind and id.
        self._captures: dict[tuple[str, str], Outcome[Capture]] = {}
        #: The content hashes of the backups of objects, by kind and id, as far as they were loaded.
        self._hashes: dict[tuple[str, str], frozenset[str]] = {}

    def ids(self, kind_key: str) -> frozenset[str]:
        """The ids of every object of a kind.

        Raises:
            GraphError: see `list_objects`.
        """
        return frozenset(str(listed["id"]) for listed in self.list_objects(kind_key))

    def existing(self, kind_key: str, ids: Collection[str]) -> frozenset[str]:
        """Those of these ids that objects of a kind have.

        Raises:
            GraphError: a list or an object could not be read.
        """
        kind = KIND[kind_key]
        if not kind.looked_up_at:
            return self.ids(kind_key) & frozenset(ids)
        unknown = [each for each in ids if (kind_key, each) not in self._exists]
        many = ManyReads(self._client, on_tick=self._on_tick)
        reads = (partial(_exists, kind, each) for each in unknown)
        with closing(many.outcomes(reads)) as outcomes:
            for each, outcome in zip(unknown, outcomes, strict=True):
                self._exists[kind_key, each] = outcome.get()
        return frozenset(each for each in ids if self._exists[kind_key, each])

    def list_objects(self, kind_key: str, *, max_age: float | None = None) -> list[Json]:
        """Every object of a kind as its list returns it, at most `max_age` seconds old if given.

        A list that could not be read is not requested again, unless `max_age` asks for it.

        Raises:
            GraphError: the list could not be read to its end; nothing may be concluded.
        """
        age = time.monotonic() - self._listed_at.get(kind_key, -math.inf)
        is_too_old = max_age is not None and age >= max_age
        if kind_key not in self._lists or is_too_old:
            try:
                self._lists[kind_key] = self._read_list(KIND[kind_key])
            except GraphError as error:
                self._lists[kind_key] = error
            self._listed_at[kind_key] = time.monotonic()
        listed = self._lists[kind_key]
        if isinstance(listed, GraphError):
            raise listed
        return listed

    def _read_list(self, kind: PolicyKind) -> list[Json]:
        """Every object of a kind.

        Raises:
            GraphError: the list could not be read to its end, or it changed meanwhile.
        """
        listed = list(kind.list_objects(self._client))
        if repeated := len(listed) - len({each["id"] for each in listed}):
            raise kind.repeated(repeated)
        return listed

    def note_created(self, kind_key: str, created: Json) -> None:
        """Add an object that was just created to the list, which was read before."""
        listed = self._lists.get(kind_key)
        if isinstance(listed, list):
            listed.append(created)

    def find_by_name(self, target: Target, *, max_age: float | None = None) -> list[Json]:
        """The listed objects with exactly the target's name, type and platform.

        Raises:
            GraphError: see `list_objects`.
        """
        return [
            listed
            for listed in self.list_objects(target.kind.key, max_age=max_age)
            if target.kind.name_of(listed) == target.name and _is_alike(listed, target)
        ]

    def distinct_ids(self, target: Target, objects: Iterable[Json]) -> frozenset[str]:
        """The ids of those objects that are certainly not the target under another id.

        Either a backup set contains both, or another object of a restore was created under that id.
        """
        ids = {str(each["id"]) for each in objects}
        if not ids:
            return frozenset()
        own_ids = self.ids_of(target.kind.key, target.item.graph_id)
        items = BackupItem.objects.filter(tenant_id=self._tenant_id, kind=target.kind.key)
        own_items = SetItem.objects.of(items.filter(graph_id__in=own_ids))
        others = SetItem.objects.of(items.filter(graph_id__in=ids))
        together: Any = others.filter(backup_set__in=own_items.values("backup_set"))
        restored: Any = RestoreItem.objects.filter(
            restore__tenant=self._tenant_id, kind=target.kind.key, result_id__in=ids
        ).exclude(graph_id__in=own_ids)
        return frozenset(together.values_list("item__graph_id", flat=True)) | frozenset(
            restored.values_list("result_id", flat=True)
        )

    def find(self, target: Target) -> LiveObject:
        """The object that the backed-up one is, or has become.

        An id that it has had decides, the latest first. An object of the same name is offered only
        if it may be the target, created again: neither a backup nor the inventory knows it.

        Raises:
            GraphError: a list could not be read, or an object is listed and could not be read.
        """
        ids = self.ids_of(target.kind.key, target.item.graph_id)
        hashes = self._backed_up_hashes(target.kind.key, ids)
        for graph_id in reversed(ids):
            if captured := self._read_if_listed(target, graph_id):
                return LiveObject(captured, backed_up_hashes=hashes)
        matches = self.find_by_name(target)
        distinct = self.distinct_ids(target, matches)
        possible = [each for each in matches if str(each["id"]) not in distinct]
        if len(possible) == 1 and not self._is_known(target, str(possible[0]["id"])):
            captured = self.read(target, str(possible[0]["id"]))
            return LiveObject(captured, is_other_object=True, backed_up_hashes=hashes)
        return LiveObject(
            possible_count=len(possible),
            distinct_count=len(matches) - len(possible),
            backed_up_hashes=hashes,
            possibly_created=not possible and is_possibly_created(self._tenant_id, target.item),
        )

    def _is_known(self, target: Target, graph_id: str) -> bool:
        """Whether a backup or the inventory contains an object of this id."""
        same_id = {"tenant_id": self._tenant_id, "graph_id": graph_id}
        key = target.kind.key
        if key == "groups" and DirectoryGroup.objects.filter(**same_id).exists():
            return True
        return any(
            rows.filter(**same_id, kind=key).exists()
            for rows in (BackupItem.objects, Policy.objects)
        )

    def load_hashes(self, items: Iterable[RestoreItem]) -> None:
        """Load the hashes of the backups of these objects, with one query for each kind."""
        ids_by_kind: dict[str, set[str]] = {}
        for item in items:
            ids = ids_by_kind.setdefault(item.kind, set())
            ids.update(self.ids_of(item.kind, item.graph_id))
        for kind_key, ids in ids_by_kind.items():
            hashes = backed_up_hashes(self._tenant_id, kind_key, ids)
            self._hashes |= {(kind_key, each): hashes.get(each, frozenset()) for each in ids}

    def _backed_up_hashes(self, kind_key: str, ids: list[str]) -> frozenset[str]:
        keys = [(kind_key, each) for each in ids]
        if all(key in self._hashes for key in keys):
            return frozenset().union(*(self._hashes[key] for key in keys))
        return frozenset().union(*backed_up_hashes(self._tenant_id, kind_key, ids).values())

    def load_successors(self, kind_key: str) -> dict[str, str]:
        """The later ids of restored objects, read once: {id in the backup: id after a restore}."""
        if kind_key not in self._successors:
            self._successors[kind_key] = successors(self._tenant_id, kind_key)
        return self._successors[kind_key]

    def ids_of(self, kind_key: str, graph_id: str) -> list[str]:
        """The ids that an object has had: this one, then those after earlier restores."""
        later_ids = self.load_successors(kind_key)
        ids = [graph_id]
        while (later := later_ids.get(ids[-1])) and later not in ids:
            ids.append(later)
        return ids

    def read(self, target: Target, graph_id: str) -> Capture:
        """Read everything of one object of the target's kind and type.

        Raises:
            ObjectNotFound: it does not exist.
            GraphError: it could not be read.
        """
        if outcome := self._captures.pop((target.kind.key, graph_id), None):
            return outcome.get()
        return target.kind.capture_one(self._client, graph_id, target.object_type)

    def note_read(self, target: Target, graph_id: str, outcome: Outcome[Capture]) -> None:
        """Let the next read of an object return this outcome of reading it a moment ago."""
        self._captures[target.kind.key, graph_id] = outcome

    def read_or_none(self, target: Target, graph_id: str) -> Capture | None:
        """Read one object; None if it does not exist.

        Raises:
            GraphError: it could not be read.
        """
        try:
            return self.read(target, graph_id)
        except ObjectNotFound:
            return None

    def _read_if_listed(self, target: Target, graph_id: str) -> Capture | None:
        """Read one object; None if it is neither readable nor listed.

        A single "not found" response is no proof: acting on a false one would create the object a
        second time.

        Raises:
            GraphError: it could not be read, or is listed and could not be read.
        """
        captured = self.read_or_none(target, graph_id)
        if captured is None and graph_id in self.ids(target.kind.key):
            return self.read(target, graph_id)
        return captured


def _exists(kind: PolicyKind, graph_id: str, client: GraphClient) -> bool:
    """Whether an object exists, of a kind that is never listed."""
    path = kind.looked_up_at.format(id=quote(graph_id, safe=""))
    try:
        client.get(path, {"$select": "id"})
    except ObjectNotFound:
        return False
    return True


def _is_alike(listed: Json, target: Target) -> bool:
    """Whether a listed object has the target's type and platform, as far as both are known."""
    pairs = (
        (bodies.type_of(listed), target.object_type),
        (listed.get("platforms"), target.payload.get("platforms")),
    )
    return all(not ours or not theirs or ours == theirs for theirs, ours in pairs)


def backed_up_hashes(
    tenant_id: int, kind_key: str, graph_ids: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The content hashes of every complete backup of objects, by their ids."""
    items: Any = BackupItem.objects.filter(
        tenant_id=tenant_id, kind=kind_key, graph_id__in=list(graph_ids), complete=True
    )
    rows = items.values_list("graph_id").annotate(
        hashes=ArrayAgg("version__normalized_hash", distinct=True)
    )
    return {graph_id: frozenset(hashes) for graph_id, hashes in rows.order_by()}


def successors(tenant_id: int, kind_key: str) -> dict[str, str]:
    """The ids under which earlier restores wrote objects: {id in the backup: id after it}.

    An object that was created beside the original is a copy, not its successor.
    """
    items = (
        RestoreItem.objects.filter(restore__tenant=tenant_id, kind=kind_key, ended_at__isnull=False)
        .exclude(result_id__in=("", F("graph_id")))
        .exclude(decision=Decision.CREATE, reason_code="restore_changed_since")
    )
    return dict(items.order_by("ended_at", "pk").values_list("graph_id", "result_id"))


def is_possibly_created(
    tenant_id: int, item: RestoreItem, *, since: dt.datetime | None = None
) -> bool:
    """Whether another restore may have created the object so recently that it is not visible yet.

    `since` leaves out attempts before a decision of the operator.
    """
    after = database_now() - CREATION_VISIBLE_AFTER
    if since is not None:
        after = max(since, after)
    attempts = RestoreItem.objects.filter(
        restore__tenant=tenant_id,
        kind=item.kind,
        graph_id=item.graph_id,
        target_id="",
        state=ItemState.UNKNOWN,
        ended_at__gt=after,
    )
    return attempts.exists()
