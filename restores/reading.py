"""What the tenant has now, read while a restore is previewed and while it is written."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Iterable
from typing import Any

from django.db.models import F
from django.utils import timezone

from backups.models import BackupItem
from providers.graph.client import GraphClient
from providers.graph.errors import Gone, GraphError
from providers.graph.kinds import KIND
from providers.graph.policy_kind import Captured, PolicyKind
from restores.bodies import Json
from restores.models import ItemState, RestoreItem
from restores.planning import Live

LOCATIONS = "named_location"
#: Microsoft shows what was created within minutes; after this long, what is not seen is not there.
SETTLED_AFTER = dt.timedelta(hours=1)
SOME_TIME = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
#: How old a list may be that says that a name is free, in seconds: a list for each new object would
#: read everything once for each.
FRESH_SECONDS = 60.0


class LiveTenant:
    """A tenant's present objects; lists are read once, objects each time they are asked for."""

    def __init__(self, client: GraphClient, tenant_id: int) -> None:
        self._client = client
        self._tenant_id = tenant_id
        self._listed: dict[str, list[Json] | GraphError] = {}
        self._listed_at: dict[str, float] = {}
        self._successors: dict[str, dict[str, str]] = {}

    def ids(self, kind_key: str) -> frozenset[str]:
        """The ids of every object of a kind.

        Raises:
            GraphError: see `listed`.
        """
        return frozenset(str(each["id"]) for each in self.listed(kind_key))

    def listed(self, kind_key: str, *, fresh: float | None = None) -> list[Json]:
        """Every object of a kind as its list has it, at most `fresh` seconds old if that is given.

        What could not be read is not asked for again, unless it has to be fresh.

        Raises:
            GraphError: it could not be read to its end; nothing may be concluded.
        """
        age = time.monotonic() - self._listed_at.get(kind_key, -math.inf)
        if kind_key not in self._listed or (fresh is not None and age >= fresh):
            self._listed[kind_key] = self._list(kind_key)
            self._listed_at[kind_key] = time.monotonic()
        found = self._listed[kind_key]
        if isinstance(found, GraphError):
            raise found
        return found

    def _list(self, kind_key: str) -> list[Json] | GraphError:
        try:
            return list(KIND[kind_key].list_objects(self._client))
        except GraphError as error:
            return error

    def add(self, kind_key: str, entry: Json) -> None:
        """Note an object that was just created, which no list has yet."""
        known = self._listed.get(kind_key)
        if isinstance(known, list):
            known.append(entry)

    def named(
        self, kind: PolicyKind, name: str, object_type: str, *, fresh: float | None = None
    ) -> list[Json]:
        """The objects of a kind with exactly this name and, where lists mix types, this type."""
        return [
            listed
            for listed in self.listed(kind.key, fresh=fresh)
            if kind.name_of(listed) == name and _is_of(listed, object_type)
        ]

    def find(self, kind: PolicyKind, item: RestoreItem, payload: Json) -> Live:
        """The object that a backed-up one is, or has become.

        An id that it has had decides, the latest first; then its name.

        Raises:
            GraphError: it could not be read, or is listed and could not be.
        """
        object_type = type_of(payload)
        ids = self.ids_of(kind.key, item.graph_id)
        known = known_hashes(self._tenant_id, kind.key, ids)
        for graph_id in reversed(ids):
            if captured := self._present(kind, graph_id, object_type):
                return Live(captured, known_hashes=known)
        same = self.named(kind, kind.name_of(payload), object_type)
        if len(same) != 1:
            may_be = not same and may_be_made(self._tenant_id, item)
            return Live(same_name=len(same), known_hashes=known, may_be_made=may_be)
        other = self.read(kind, str(same[0]["id"]), object_type)
        return Live(other, is_other=True, known_hashes=known)

    def ids_of(self, kind_key: str, graph_id: str) -> list[str]:
        """The ids that an object has had: the given one, then those under which earlier restores
        have put it back."""
        if kind_key not in self._successors:
            self._successors[kind_key] = successors(self._tenant_id, kind_key)
        ids = [graph_id]
        while (later := self._successors[kind_key].get(ids[-1])) and later not in ids:
            ids.append(later)
        return ids

    def _present(self, kind: PolicyKind, graph_id: str, object_type: str) -> Captured | None:
        """The object, if it is there. It is gone when it is not listed either: one answer that it
        is not there is no proof, and a second object would be the price.

        Raises:
            GraphError: it could not be read, or is listed and could not be.
        """
        try:
            return self.read(kind, graph_id, object_type)
        except Gone:
            if graph_id not in self.ids(kind.key):
                return None
        return self.read(kind, graph_id, object_type)

    def read(self, kind: PolicyKind, graph_id: str, object_type: str) -> Captured:
        """One object, everything of it.

        Raises:
            Gone: it is not there.
            GraphError: it could not be read.
        """
        return kind.capture_one(self._client, graph_id, object_type)


def type_of(payload: Json) -> str:
    """The type of an object in Graph, without its prefix; empty where the kind has one only."""
    return str(payload.get("@odata.type") or "").removeprefix("#microsoft.graph.")


def _is_of(listed: Json, object_type: str) -> bool:
    own = type_of(listed)
    return not own or not object_type or own == object_type


def known_hashes(tenant_id: int, kind_key: str, graph_ids: Iterable[str]) -> frozenset[str]:
    """The contents of an object that were ever backed up, under any of its ids."""
    held: Any = BackupItem.objects.filter(
        tenant_id=tenant_id, kind=kind_key, graph_id__in=list(graph_ids), complete=True
    )
    return frozenset(held.values_list("version__normalized_hash", flat=True).distinct())


def successors(tenant_id: int, kind_key: str) -> dict[str, str]:
    """Under which ids earlier restores have put objects back: {id in the backup: id then}."""
    made = RestoreItem.objects.filter(
        restore__tenant=tenant_id, kind=kind_key, settled_at__isnull=False
    ).exclude(result_id__in=("", F("graph_id")))
    return dict(made.order_by("settled_at", "pk").values_list("graph_id", "result_id"))


def may_be_made(tenant_id: int, item: RestoreItem, *, since: dt.datetime | None = None) -> bool:
    """Whether another restore may have created it so lately that it need not be seen yet; `since`
    leaves out what somebody has decided about."""
    unsettled = RestoreItem.objects.filter(
        restore__tenant=tenant_id,
        kind=item.kind,
        graph_id=item.graph_id,
        target_id="",
        state=ItemState.UNKNOWN,
        settled_at__gt=max(since or SOME_TIME, timezone.now() - SETTLED_AFTER),
    )
    return unsettled.exists()
