"""From a backed-up object to what is written, and how two states of it are compared. Pure."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind
from restores.models import AccessState, Assignments

Json = dict[str, Any]

ASSIGNED = frozenset({"settings_catalog", "device_configuration", "compliance"})
ENABLED, REPORT_ONLY = "enabled", "enabledForReportingButNotEnforced"
#: What Graph sets on an object of any kind and refuses to be given, besides what
#: `PolicyKind.content` leaves out: nobody decided it, so it is not compared either.
READ_ONLY = frozenset({"createdByAppId", "templateId"})
#: What has an action of its own: {property: (the action, the name of its argument)}.
#: (GRAPH.md names the actions; their arguments follow Graph's convention and were never tried
#: against live Microsoft: a refusal is told as "written, but differs".)
APART: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "compliance": {
        "scheduledActionsForRule": (
            "scheduleActionsForRules",
            "deviceComplianceScheduledActionForRules",
        )
    },
    "device_configuration": {
        "privacyAccessControls": ("windowsPrivacyAccessControls", "windowsPrivacyAccessControls")
    },
}
#: Part of what is posted, although a change of it has an action of its own: Graph demands it.
CREATED_WITH = frozenset({"scheduledActionsForRule"})
MASKS = ("****", "encryptedValueToken")
DEFAULT_SCOPE_TAG = "0"


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
    if is_enforced(state) and options.access_state == AccessState.REPORT_ONLY:
        state["state"] = REPORT_ONLY
    return state


def present(kind: PolicyKind, live: Json, backup: Json, options: Options) -> Json:
    """The state that the object has, in what the backup speaks of.

    Graph gives every property that a type has, null where it is not set. One that the backup does
    not have at all came to Graph later: a restore leaves it as it is.
    """
    state = comparable(kind, live, options)
    return {name: value for name, value in state.items() if name in backup}


def untold(kind: PolicyKind, live: Json, backup: Json, options: Options) -> Json:
    """What the object has and the backup does not speak of: a restore must leave it as it is."""
    state = comparable(kind, live, options)
    return {name: value for name, value in state.items() if name not in backup}


def comparable(kind: PolicyKind, payload: Json, options: Options) -> Json:
    """What of a captured object a restore with these options is about."""
    content = kind.content(payload)
    if kind.key not in ASSIGNED or options.assignments == Assignments.KEEP:
        content.pop("assignments", None)
    elif "assignments" in content:
        content["assignments"] = targets(content["assignments"])
    if kind.key == "conditional_access":
        content = _without_defaults(content)
    set_ = _without_nulls(content)
    return {name: value for name, value in set_.items() if name not in READ_ONLY}


def _without_nulls(value: Any) -> Any:
    """Graph gives null for what is not set, or leaves it out."""
    if isinstance(value, dict):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return value


def _without_defaults(content: Json) -> Json:
    """A conditional access policy without what Graph gives out and does not take back.

    Resilience defaults that are not disabled are the same as none set. Conditions on device states
    are deprecated; empty ones say nothing.
    """
    controls = _without_nulls(_part(content, "sessionControls"))
    if controls.get("disableResilienceDefaults") is False:
        del controls["disableResilienceDefaults"]
    conditions = dict(_part(content, "conditions"))
    if not any((conditions.get("deviceStates") or {}).values()):
        conditions.pop("deviceStates", None)
    return {**content, "sessionControls": controls or None, "conditions": conditions or None}


def state_hash(state: Json) -> str:
    """SHA-256 of a comparable state."""
    return hashlib.sha256(canonical_json(state)).hexdigest()


def same(state: Any, other: Any) -> bool:
    """Whether two states are equal, as JSON: 1 is not true."""
    return canonical_json(state) == canonical_json(other)


def targets(assignments: Any) -> list[Json]:
    """Assignments as they are sent: their targets alone, in a stable order."""
    entries = assignments if isinstance(assignments, list) else []
    found = [
        {"target": entry["target"]}
        for entry in entries
        if isinstance(entry, dict) and entry.get("target")
    ]
    return sorted(found, key=canonical_json)


# --- what is sent -----------------------------------------------------------------------------------


def body_to_create(kind: PolicyKind, state: Json) -> Json:
    """What is posted, or put in the place of an object; what has an action goes separately."""
    apart = {"assignments", *APART.get(kind.key, {})} - CREATED_WITH
    body = {name: value for name, value in state.items() if name not in apart}
    if "deviceStates" in _part(body, "conditions"):
        body["conditions"] = {
            name: value for name, value in body["conditions"].items() if name != "deviceStates"
        }
    return body


def body_to_change(kind: PolicyKind, state: Json, present: Json) -> Json:
    """What an existing object is sent: what it shall have, and null for what it has and shall not.

    Only what is different, so that nothing else can be touched; the type always, Graph demands it.
    """
    left_out = {"assignments", *APART.get(kind.key, {})}
    whole = _with_nulls(body_to_create(kind, state), present)
    return {
        name: value
        for name, value in whole.items()
        if name not in left_out and (name == "@odata.type" or not same(value, present.get(name)))
    }


def _with_nulls(state: Json, present: Json) -> Json:
    """A state with null for what is there and shall not be, at every depth: Graph may keep what is
    not spoken of."""
    unset = dict.fromkeys(name for name in present if name not in state)
    return unset | {
        name: _with_nulls(value, present[name])
        if isinstance(value, dict) and isinstance(present.get(name), dict)
        else value
        for name, value in state.items()
    }


def actions(
    kind: PolicyKind, state: Json, present: Json, *, is_new: bool
) -> list[tuple[str, Json]]:
    """The actions that an object needs besides its body, as (name, body) in their order."""
    return [
        (action, {argument: state.get(name) or []})
        for name, (action, argument) in APART.get(kind.key, {}).items()
        if not same(state.get(name) or [], present.get(name) or [])
        and not (is_new and name in CREATED_WITH)
    ]


# --- what is known of a state -----------------------------------------------------------------------


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


def is_enforced(state: Json) -> bool:
    """Whether it is a conditional access policy that is enforced."""
    return state.get("state") == ENABLED and "conditions" in state


def excludes_somebody(state: Json) -> bool:
    """Whether a conditional access policy leaves out a user, group or role: a way back in."""
    users = _part(state, "conditions", "users")
    return any(users.get(name) for name in ("excludeUsers", "excludeGroups", "excludeRoles"))


def references(state: Json) -> dict[str, set[str]]:
    """What a state refers to that a tenant may lack: ids by the key of their kind, none empty."""
    found = {
        "groups": _groups(state),
        "named_location": _locations(state),
        "assignment_filters": _filters(state),
        "scope_tags": {str(tag) for tag in state.get("roleScopeTagIds") or []}
        - {DEFAULT_SCOPE_TAG},
    }
    return {kind: ids for kind, ids in found.items() if ids}


def _groups(state: Json) -> set[str]:
    """In assignments or as users."""
    found = {str(target["groupId"]) for target in _targets(state) if target.get("groupId")}
    users = _part(state, "conditions", "users")
    for name in ("includeGroups", "excludeGroups"):
        found |= {str(value) for value in users.get(name) or []}
    return found - {"All", "None"}


def _locations(state: Json) -> set[str]:
    locations = _part(state, "conditions", "locations")
    named = {
        str(value)
        for name in ("includeLocations", "excludeLocations")
        for value in locations.get(name) or []
    }
    return named - {"All", "AllTrusted", "None"}


def _filters(state: Json) -> set[str]:
    name = "deviceAndAppManagementAssignmentFilterId"
    return {
        str(target[name])
        for target in _targets(state)
        # Graph gives the zero id, or none, where there is no filter.
        if target.get(name) and set(str(target[name])) - set("0-")
    }


def _targets(state: Json) -> list[Json]:
    return [entry["target"] for entry in state.get("assignments") or []]


def with_ids(state: Json, new_ids: Mapping[str, str]) -> Json:
    """A state with the ids that objects have now in the place of those that they had."""
    changed: Json = _replaced(state, new_ids) if new_ids else state
    return changed


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(entry, ids) for name, entry in value.items()}
    if isinstance(value, list):
        entries = [_replaced(entry, ids) for entry in value]
        # References have no order, and are compared in that of the ids that they have now.
        is_moved = entries != value and all(isinstance(entry, str) for entry in entries)
        return sorted(entries, key=canonical_json) if is_moved else entries
    return ids.get(value, value) if isinstance(value, str) else value


def missing(
    found: Mapping[str, set[str]], there: Mapping[str, Collection[str]]
) -> dict[str, set[str]]:
    """What of the references is not there, by kind; a kind that nothing is known of is left out."""
    lacking = {kind: ids - set(there[kind]) for kind, ids in found.items() if kind in there}
    return {kind: ids for kind, ids in lacking.items() if ids}


def _part(state: Json, *names: str) -> Json:
    found: Any = state
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}
