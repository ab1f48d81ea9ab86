"""One object of a restore, and one write of it. Pure: every value follows from the arguments."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from providers.graph.kinds import KIND
from providers.graph.policy_kind import Capture, PolicyKind
from restores import bodies
from restores.bodies import Json, Options
from restores.models import AccessState, Assignments, RestoreItem


@dataclass(frozen=True, eq=False)
class Target:
    """One object of a restore: its row, its kind, its backed-up content and the chosen options."""

    item: RestoreItem
    kind: PolicyKind
    #: Empty where the backup no longer has the content.
    payload: Json
    options: Options

    @classmethod
    def of(cls, item: RestoreItem, options: Options) -> Target:
        payload = item.version.payload if item.version else {}
        return cls(item, KIND[item.kind], payload, options)

    @property
    def is_backup_available(self) -> bool:
        return self.item.version is not None

    @property
    def is_backup_complete(self) -> bool:
        return bool(self.item.backup_item and self.item.backup_item.complete)

    @property
    def name(self) -> str:
        """The display name in the backup."""
        return self.kind.name_of(self.payload)

    @property
    def object_type(self) -> str:
        """The Graph type without its prefix; empty where the kind has a single type."""
        return bodies.type_of(self.payload)

    @property
    def collection(self) -> str:
        """The path of the collection in which the object is created."""
        return self.kind.collection_of(self.payload)

    def path(self, graph_id: str) -> str:
        return self.kind.object_path(
            {"id": graph_id, "@odata.type": self.payload.get("@odata.type")}
        )

    @cached_property
    def expected_state(self) -> Json:
        """The state that the object should have: its backed-up content, as the options change it.

        Without `assignments` where the current ones are kept.
        """
        state = copy.deepcopy(bodies.comparable_state(self.kind, self.payload, self.options))
        without_assignments = self.options.assignments == Assignments.NONE
        if without_assignments and self.kind.is_assignable:
            state["assignments"] = []
        is_report_only = self.options.access_state == AccessState.REPORT_ONLY
        if is_report_only and bodies.is_enforced(state):
            state["state"] = bodies.REPORT_ONLY
        return state

    def current_state(self, captured: Capture) -> Json:
        """The state that the object has now, limited to the properties in the backup.

        Graph returns every property of a type, null where it is not set. A property that is not in
        the backup at all was added to Graph later: a restore leaves it unchanged.
        """
        state = bodies.comparable_state(self.kind, captured.payload, self.options)
        return {name: value for name, value in state.items() if name in self.payload}

    def unmanaged_properties(self, captured: Capture) -> Json:
        """What the object has now and the backup does not contain: a restore must preserve it."""
        state = bodies.comparable_state(self.kind, captured.payload, self.options)
        return {name: value for name, value in state.items() if name not in self.payload}


@dataclass(frozen=True, eq=False)
class PlannedWrite:
    """One write: the state to write, and the object as it was read just before it.

    `state` is the target's expected state, referring to the ids that objects have now. `live` is
    None for an object that is created; `earlier_ids` are then the ids of its kind before that.
    """

    target: Target
    state: Json
    live: Capture | None
    earlier_ids: Collection[str] = ()

    @property
    def item(self) -> RestoreItem:
        return self.target.item

    @property
    def kind(self) -> PolicyKind:
        return self.target.kind

    @cached_property
    def state_before(self) -> Json:
        """The state before the write; empty for an object that is created."""
        return self.target.current_state(self.live) if self.live else {}

    @cached_property
    def preserved_properties(self) -> Json:
        """Properties outside the backup that replacing the object as a whole could lose."""
        if self.live is None or not self.kind.is_replaced:
            return {}
        return self.target.unmanaged_properties(self.live)

    def is_fulfilled_by(self, captured: Capture) -> bool:
        """Whether an object has the expected state and lost no property outside the backup."""
        if not bodies.is_same_json(self.target.current_state(captured), self.state):
            return False
        unmanaged = self.target.unmanaged_properties(captured)
        return all(
            bodies.is_same_json(unmanaged.get(name), value)
            for name, value in self.preserved_properties.items()
        )
