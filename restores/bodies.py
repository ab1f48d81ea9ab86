"""From a backed-up object to what is written, and how two states of it are compared. Pure."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers.graph.kinds import PolicyKind
from providers.graph.normalize import canonical_json
from restores.models import AccessState, Assignments

Json = dict[str, Any]

ASSIGNED = frozenset({"settings_catalog", "device_configuration", "compliance"})
ENABLED, REPORT_ONLY = "enabled", "enabledForReportingButNotEnforced"
#: What Graph gives out and does not take back, besides what `PolicyKind.content` leaves out.
READ_ONLY = {
    "device_configuration": frozenset({"privacyAccessControls", "deviceManagementApplicability"}),
    "conditional_access": frozenset({"templateId", "createdByAppId", "deviceStates"}),
}
MASKS = ("****", "encryptedValueToken")


@dataclass(frozen=True)
class Options:
    """What the operator decided for all objects of a restore."""

    assignments: str = Assignments.KEEP
    access_state: str = AccessState.REPORT_ONLY


def wanted(kind: PolicyKind, payload: Json, options: Options) -> Json:
    """The state that the object shall have: its backed-up content, as the options change it.

    Without `assignments` where the present ones are kept.
    """
    state = copy.deepcopy(comparable(kind, payload, options))
    if kind.key in ASSIGNED and options.assignments == Assignments.NONE:
        state["assignments"] = []
    if kind.key == "conditional_access" and state.get("state") == ENABLED:
        report_only = options.access_state == AccessState.REPORT_ONLY
        state["state"] = REPORT_ONLY if report_only else ENABLED
    return state


def comparable(kind: PolicyKind, payload: Json, options: Options) -> Json:
    """What of a captured object this restore is about."""
    content = kind.content(payload)
    if kind.key not in ASSIGNED or options.assignments == Assignments.KEEP:
        content.pop("assignments", None)
    elif "assignments" in content:
        content["assignments"] = targets(content["assignments"])
    left_out = READ_ONLY.get(kind.key, frozenset())
    # Graph gives null for what is not set, or leaves it out.
    return {
        name: value for name, value in content.items() if value is not None and name not in left_out
    }


def state_hash(state: Json) -> str:
    """SHA-256 of a comparable state."""
    return hashlib.sha256(canonical_json(state)).hexdigest()


def targets(assignments: Any) -> list[Json]:
    """Assignments as they are sent: their targets alone, in a stable order."""
    entries = assignments if isinstance(assignments, list) else []
    found = [
        {"target": entry["target"]}
        for entry in entries
        if isinstance(entry, dict) and entry.get("target")
    ]
    return sorted(found, key=canonical_json)


def body_to_create(state: Json) -> Json:
    """What is posted; assignments go separately."""
    return {name: value for name, value in state.items() if name != "assignments"}


def body_to_change(state: Json, present: Json) -> Json:
    """What an existing object is sent: what it shall have, and null for what it has and shall not.

    The actions for noncompliance go separately too.
    """
    left_out = {"assignments", "scheduledActionsForRule"}
    unset = dict.fromkeys(name for name in present if name not in state)
    return {name: value for name, value in (unset | state).items() if name not in left_out}


def encrypted_values(payload: Any) -> int:
    """How many values of an object are not in the backup, because they were only given encrypted."""
    if isinstance(payload, dict):
        own = payload.get("isEncrypted") is True or payload.get("valueState") == MASKS[1]
        return int(own) + sum(encrypted_values(value) for value in payload.values())
    if isinstance(payload, list):
        return sum(encrypted_values(value) for value in payload)
    return int(payload == MASKS[0])


def is_managed(kind: PolicyKind, payload: Mapping[str, Any]) -> bool:
    """Whether Microsoft made the object and keeps it."""
    name = str(payload.get(kind.name_field) or "")
    return bool(payload.get("isBuiltIn")) or name.startswith("Microsoft-managed")


def groups_of(kind: PolicyKind, state: Json) -> set[str]:
    """The groups that a state refers to, in assignments or as users."""
    found = {
        str(entry["target"].get("groupId"))
        for entry in state.get("assignments", [])
        if entry["target"].get("groupId")
    }
    users = _part(state, "conditions", "users")
    for name in ("includeGroups", "excludeGroups"):
        found |= {str(value) for value in users.get(name) or []}
    return found


def locations_of(state: Json) -> set[str]:
    """The named locations that a conditional access policy refers to."""
    locations = _part(state, "conditions", "locations")
    named = {
        str(value)
        for name in ("includeLocations", "excludeLocations")
        for value in locations.get(name) or []
    }
    return named - {"All", "AllTrusted", "None"}


def with_ids(state: Json, new_ids: Mapping[str, str]) -> Json:
    """A state with the ids of objects that this restore has created in the place of the old ones."""
    changed: Json = _replaced(state, new_ids)
    return changed


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(entry, ids) for name, entry in value.items()}
    if isinstance(value, list):
        return [_replaced(entry, ids) for entry in value]
    return ids.get(value, value) if isinstance(value, str) else value


def _part(state: Json, *names: str) -> Json:
    found: Any = state
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
