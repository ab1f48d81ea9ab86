"""The states and request bodies of objects, as JSON, and how two states are compared. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind
from restores.models import AccessState, Assignments

Json = dict[str, Any]

#: Kinds whose objects have assignments.
ASSIGNABLE_KINDS = frozenset({"settings_catalog", "device_configuration", "compliance"})
ENABLED, REPORT_ONLY = "enabled", "enabledForReportingButNotEnforced"
#: Properties that Graph sets on objects of every kind and rejects in a request, besides those that
#: `PolicyKind.content` removes. They are no one's decision, so they are not compared either.
READ_ONLY = frozenset({"createdByAppId", "templateId"})
#: Properties that are written by an action: {property: (action, name of its argument)}.
#: GRAPH.md names the actions. The argument names follow Graph's convention and have not been tried
#: against the live service: a refusal is reported as "written, but differs".
ACTION_PROPERTIES: Mapping[str, Mapping[str, tuple[str, str]]] = {
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
#: Action properties that Graph also requires in the body of a creation.
REQUIRED_ON_CREATE = frozenset({"scheduledActionsForRule"})
MASKED_VALUE, ENCRYPTED_STATE = "****", "encryptedValueToken"
DEFAULT_SCOPE_TAG = "0"
#: Locations that every tenant has and no list contains. The zero id is “MFA trusted IPs”.
BUILT_IN_LOCATIONS = frozenset(
    {"All", "AllTrusted", "None", "00000000-0000-0000-0000-000000000000"}
)
#: Kinds whose objects are updated by replacing them as a whole (PUT).
REPLACED_KINDS = frozenset({"settings_catalog"})
FILTER_ID = "deviceAndAppManagementAssignmentFilterId"


@dataclass(frozen=True)
class Options:
    """The operator's choices for all objects of a restore."""

    assignments: str = Assignments.KEEP
    access_state: str = AccessState.REPORT_ONLY


# --- states -----------------------------------------------------------------------------------------


def comparable_state(kind: PolicyKind, payload: Json, options: Options) -> Json:
    """The part of a captured object that a restore with these options compares and writes."""
    content = kind.content(payload)
    if kind.key not in ASSIGNABLE_KINDS or options.assignments == Assignments.KEEP:
        content.pop("assignments", None)
    elif "assignments" in content:
        content["assignments"] = assignment_targets(content["assignments"])
    if kind.key == "conditional_access":
        content = _without_defaults(content)
    state = _without_nulls(content)
    return {name: value for name, value in state.items() if name not in READ_ONLY}


def _without_nulls(value: Any) -> Any:
    """Graph returns null for a property that is not set, or leaves it out."""
    if isinstance(value, dict):
        return {name: _without_nulls(entry) for name, entry in value.items() if entry is not None}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return value


def _without_defaults(content: Json) -> Json:
    """A conditional access policy without values that Graph returns but does not accept.

    Resilience defaults that are not disabled equal unset ones. Conditions on device states are
    deprecated; empty ones have no effect.
    """
    controls = _without_nulls(_nested(content, "sessionControls"))
    if controls.get("disableResilienceDefaults") is False:
        del controls["disableResilienceDefaults"]
    conditions = dict(_nested(content, "conditions"))
    if not any((conditions.get("deviceStates") or {}).values()):
        conditions.pop("deviceStates", None)
    return {**content, "sessionControls": controls or None, "conditions": conditions or None}


def state_hash(state: Json) -> str:
    """SHA-256 of a comparable state."""
    return hashlib.sha256(canonical_json(state)).hexdigest()


def is_same_json(value: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1 is not true."""
    return canonical_json(value) == canonical_json(other)


def assignment_targets(assignments: Any) -> list[Json]:
    """Assignments as they are sent: their targets alone, in a stable order."""
    entries = assignments if isinstance(assignments, list) else []
    targets = [
        {"target": entry["target"]}
        for entry in entries
        if isinstance(entry, dict) and entry.get("target")
    ]
    return sorted(targets, key=canonical_json)


# --- request bodies ---------------------------------------------------------------------------------


def create_body(kind: PolicyKind, state: Json) -> Json:
    """The body that creates or replaces an object; properties with an action are sent separately."""
    separate = {"assignments", *ACTION_PROPERTIES.get(kind.key, {})} - REQUIRED_ON_CREATE
    body = {name: value for name, value in state.items() if name not in separate}
    if "deviceStates" in _nested(body, "conditions"):
        conditions = body["conditions"].items()
        body["conditions"] = {name: value for name, value in conditions if name != "deviceStates"}
    return body


def update_body(kind: PolicyKind, state: Json, current: Json) -> Json:
    """The body that changes an object: the expected values, and null for what is to be removed.

    It contains only what differs, so that nothing else can be changed, and always the type, which
    Graph requires.
    """
    separate = {"assignments", *ACTION_PROPERTIES.get(kind.key, {})}
    whole = _with_removals(create_body(kind, state), current)
    return {
        name: value
        for name, value in whole.items()
        if name not in separate
        and (name == "@odata.type" or not is_same_json(value, current.get(name)))
    }


def _with_removals(state: Json, current: Json) -> Json:
    """A state with null for current properties that it lacks, at every depth: Graph may keep a
    property that the body does not contain."""
    body: Json = dict.fromkeys(name for name in current if name not in state)
    for name, value in state.items():
        current_value = current.get(name)
        if isinstance(value, dict) and isinstance(current_value, dict):
            body[name] = _with_removals(value, current_value)
        else:
            body[name] = value
    return body


def follow_up_actions(
    kind: PolicyKind, state: Json, current: Json, *, is_new: bool
) -> list[tuple[str, Json]]:
    """The actions that an object needs after its body, as (name, body) in their order."""
    actions = []
    for name, (action, argument) in ACTION_PROPERTIES.get(kind.key, {}).items():
        value = state.get(name) or []
        is_already_sent = is_new and name in REQUIRED_ON_CREATE
        if not is_already_sent and not is_same_json(value, current.get(name) or []):
            actions.append((action, {argument: value}))
    return actions


# --- facts about a state ----------------------------------------------------------------------------


def type_of(payload: Json) -> str:
    """The Graph type of an object without its prefix; empty where the kind has a single type."""
    return str(payload.get("@odata.type") or "").removeprefix("#microsoft.graph.")


def count_encrypted_values(payload: Any) -> int:
    """The number of values that the backup lacks because Graph returned them only encrypted."""
    if isinstance(payload, dict):
        is_encrypted = payload.get("isEncrypted") is True
        has_token = payload.get("valueState") == ENCRYPTED_STATE
        nested = sum(count_encrypted_values(value) for value in payload.values())
        return int(is_encrypted or has_token) + nested
    if isinstance(payload, list):
        return sum(count_encrypted_values(value) for value in payload)
    return int(payload == MASKED_VALUE)


def is_microsoft_managed(kind: PolicyKind, payload: Mapping[str, Any]) -> bool:
    """Whether Microsoft created the object and maintains it."""
    name = str(payload.get(kind.name_field) or "")
    return bool(payload.get("isBuiltIn")) or name.startswith("Microsoft-managed")


def is_enforced(state: Json) -> bool:
    """Whether it is a conditional access policy that is enforced."""
    return state.get("state") == ENABLED and "conditions" in state


def has_exclusions(state: Json) -> bool:
    """Whether a conditional access policy excludes a user, group or role that can still sign in."""
    users = _nested(state, "conditions", "users")
    return any(users.get(name) for name in ("excludeUsers", "excludeGroups", "excludeRoles"))


# --- references -------------------------------------------------------------------------------------


def references(state: Json) -> dict[str, set[str]]:
    """The objects that a state refers to and a tenant may lack: ids by kind, none empty."""
    scope_tags = {str(tag) for tag in state.get("roleScopeTagIds") or []}
    ids_by_kind = {
        "groups": _group_ids(state),
        "named_location": _location_ids(state),
        "assignment_filters": _filter_ids(state),
        "scope_tags": scope_tags - {DEFAULT_SCOPE_TAG},
    }
    return {kind: ids for kind, ids in ids_by_kind.items() if ids}


def _group_ids(state: Json) -> set[str]:
    """The groups in assignments and in the users of a conditional access policy."""
    targets = _assigned_targets(state)
    ids = {str(target["groupId"]) for target in targets if target.get("groupId")}
    users = _nested(state, "conditions", "users")
    for name in ("includeGroups", "excludeGroups"):
        ids |= {str(value) for value in users.get(name) or []}
    return ids - {"All", "None"}


def _location_ids(state: Json) -> set[str]:
    locations = _nested(state, "conditions", "locations")
    ids: set[str] = set()
    for name in ("includeLocations", "excludeLocations"):
        ids |= {str(value) for value in locations.get(name) or []}
    return ids - BUILT_IN_LOCATIONS


def _filter_ids(state: Json) -> set[str]:
    targets = _assigned_targets(state)
    ids = {str(target[FILTER_ID]) for target in targets if target.get(FILTER_ID)}
    # Graph returns the zero id, or none, where there is no filter.
    return {filter_id for filter_id in ids if set(filter_id) - set("0-")}


def _assigned_targets(state: Json) -> list[Json]:
    return [entry["target"] for entry in state.get("assignments") or []]


def sent_references(kind: PolicyKind, state: Json, current: Json | None) -> dict[str, set[str]]:
    """The references, as `references` returns them, in the part of a state that a write sends.

    That is all of a new object, and otherwise the properties that differ. A reference that the
    write does not send may be missing: the current object has it as well.
    """
    if current is None:
        return references(state)
    is_replaced = kind.key in REPLACED_KINDS
    return references(
        {
            name: value
            for name, value in state.items()
            if not is_same_json(value, current.get(name)) or (is_replaced and name != "assignments")
        }
    )


def replace_ids(state: Json, new_ids: Mapping[str, str]) -> Json:
    """A state with the current ids of objects in place of those in the backup."""
    replaced: Json = _replace_ids(state, new_ids) if new_ids else state
    return replaced


def _replace_ids(value: Any, new_ids: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _replace_ids(entry, new_ids) for name, entry in value.items()}
    if isinstance(value, list):
        entries = [_replace_ids(entry, new_ids) for entry in value]
        # References have no order, and are compared in the order of the current ids.
        is_replaced = entries != value and all(isinstance(entry, str) for entry in entries)
        return sorted(entries, key=canonical_json) if is_replaced else entries
    return new_ids.get(value, value) if isinstance(value, str) else value


def missing_references(
    references: Mapping[str, set[str]], existing: Mapping[str, Collection[str]]
) -> dict[str, set[str]]:
    """The referenced ids that do not exist, by kind; kinds that could not be read are left out."""
    missing = {
        kind: ids - set(existing[kind]) for kind, ids in references.items() if kind in existing
    }
    return {kind: ids for kind, ids in missing.items() if ids}


def _nested(state: Json, *names: str) -> Json:
    """The object at a path of properties; empty where there is none."""
    value: Any = state
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
