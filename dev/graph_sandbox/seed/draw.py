"""Draws the random values of the seeded objects."""

from __future__ import annotations

import datetime as dt
import random
import uuid
from collections.abc import Mapping
from typing import Any

from dev.graph_sandbox.messages import Json


class Draw:
    """The random values of one kind, and references to objects that were seeded before it.

    `objects` has the objects of the earlier kinds.
    """

    def __init__(self, seed: str, tenant_name: str, objects: Mapping[str, list[Json]]) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - these values are not secret
        self.tenant_name = tenant_name
        self._objects = objects

    def new_id(self) -> str:
        """Draw a GUID."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def times(self, modified: str = "lastModifiedDateTime") -> Json:
        """Draw when an object was created and last changed; `modified` names the second one."""
        seconds = self.rng.randrange(80_000_000)
        created_at = dt.datetime(2023, 2, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
        changed_at = created_at + dt.timedelta(seconds=self.rng.randrange(1, 20_000_000))
        return {
            "createdDateTime": f"{created_at:%Y-%m-%dT%H:%M:%S.%f}0Z",
            modified: f"{changed_at:%Y-%m-%dT%H:%M:%S.%f}0Z",
        }

    def group_id(self) -> str:
        """Draw the id of a seeded group; a new id where the tenant has no groups."""
        groups = self._objects.get("groups")
        if not groups:
            return self.new_id()
        return str(self.rng.choice(groups)["id"])

    def location_id(self) -> str | None:
        """Draw the id of a seeded named location; None where the tenant has none."""
        locations = self._objects.get("named_location")
        if not locations:
            return None
        return str(self.rng.choice(locations)["id"])

    def assignments(self, policy_id: str) -> list[Json]:
        """Draw the assignments of a policy: none, one target, or a target and an exclusion."""
        shape = self.rng.random()
        if shape < 0.1:
            return []
        targets = [self._included_target(shape)]
        if shape > 0.5:
            targets.append(_target("exclusionGroupAssignmentTarget", groupId=self.group_id()))
        return [
            {
                "id": f"{policy_id}_{target.get('groupId', self.new_id())}",
                "source": "direct",
                "sourceId": policy_id,
                "target": target,
            }
            for target in targets
        ]

    def _included_target(self, shape: float) -> Json:
        extra: Json = {}
        filters = self._objects.get("assignment_filters")
        if filters and shape < 0.3:
            assignment_filter = self.rng.choice(filters)
            extra["deviceAndAppManagementAssignmentFilterId"] = assignment_filter["id"]
            extra["deviceAndAppManagementAssignmentFilterType"] = "include"
        if shape < 0.25:
            return _target("allDevicesAssignmentTarget", **extra)
        if shape < 0.4:
            return _target("allLicensedUsersAssignmentTarget", **extra)
        return _target("groupAssignmentTarget", groupId=self.group_id(), **extra)


def _target(kind: str, **properties: object) -> Json:
    return {
        "@odata.type": f"#microsoft.graph.{kind}",
        "deviceAndAppManagementAssignmentFilterId": None,
        "deviceAndAppManagementAssignmentFilterType": "none",
        **properties,
    }


def cycle_names(names: tuple[Any, ...], number: int) -> tuple[str, Any]:
    """The name at this position and what belongs to it; names repeat as rings 1, 2, …"""
    name, *rest = names[number % len(names)]
    ring = number // len(names)
    if ring:
        name = f"{name} - Ring {ring}"
    return name, rest
