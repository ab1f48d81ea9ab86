"""What the tenant has now, read while a restore is previewed and while it is written."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from backups.models import BackupItem
from providers.graph.capture import Captured
from providers.graph.client import GraphClient
from providers.graph.errors import Gone
from providers.graph.kinds import KIND, PolicyKind
from restores.bodies import Json
from restores.models import RestoreItem
from restores.planning import Live

LOCATIONS = "named_location"


class LiveTenant:
    """A tenant's present objects; lists are read once, objects each time they are asked for."""

    def __init__(self, client: GraphClient, tenant_id: int) -> None:
        self._client = client
        self._tenant_id = tenant_id
        self._listed: dict[str, list[Json]] = {}

    @cached_property
    def groups(self) -> frozenset[str]:
        """The ids of the tenant's groups."""
        return frozenset(str(each["id"]) for each in self.listed("groups"))

    @cached_property
    def locations(self) -> frozenset[str]:
        """The ids of the tenant's named locations."""
        return frozenset(str(each["id"]) for each in self.listed(LOCATIONS))

    def listed(self, kind_key: str, *, afresh: bool = False) -> list[Json]:
        """Every object of a kind as its list has it.

        Raises:
            GraphError: it could not be read to its end; nothing may be concluded.
        """
        if afresh or kind_key not in self._listed:
            self._listed[kind_key] = list(KIND[kind_key].list_objects(self._client))
        return self._listed[kind_key]

    def named(
        self, kind: PolicyKind, name: str, object_type: str, *, afresh: bool = False
    ) -> list[Json]:
        """The objects of a kind with exactly this name and, where lists mix types, this type."""
        return [
            listed
            for listed in self.listed(kind.key, afresh=afresh)
            if kind.name_of(listed) == name and _is_of(listed, object_type)
        ]

    def find(self, kind: PolicyKind, item: RestoreItem, payload: Json) -> Live:
        """The object that a backed-up one is, or has become.

        Raises:
            GraphError: it could not be read.
        """
        known = known_hashes(self._tenant_id, item)
        object_type = type_of(payload)
        try:
            return Live(self.read(kind, item.graph_id, object_type), known_hashes=known)
        except Gone:
            same = self.named(kind, kind.name_of(payload), object_type)
        if len(same) != 1:
            return Live(same_name=len(same), known_hashes=known)
        other = self.read(kind, str(same[0]["id"]), object_type)
        return Live(other, is_other=True, known_hashes=known)

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


def known_hashes(tenant_id: int, item: RestoreItem) -> frozenset[str]:
    """The contents of an object that were ever backed up."""
    held: Any = BackupItem.objects.filter(
        tenant_id=tenant_id, kind=item.kind, graph_id=item.graph_id, complete=True
    )
    return frozenset(held.values_list("version__normalised_hash", flat=True).distinct())
