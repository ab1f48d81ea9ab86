"""Creates, changes, assigns and deletes objects with the checks that Graph makes."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dev.graph_sandbox.messages import Json, Request, RequestRefused, Response
from dev.graph_sandbox.resources import Resource

TARGETS = (
    "#microsoft.graph.groupAssignmentTarget",
    "#microsoft.graph.exclusionGroupAssignmentTarget",
    "#microsoft.graph.allDevicesAssignmentTarget",
    "#microsoft.graph.allLicensedUsersAssignmentTarget",
)
#: Properties that Graph sets itself and refuses in a request.
READ_ONLY = frozenset(
    {
        *("id", "createdDateTime", "lastModifiedDateTime", "modifiedDateTime", "deletedDateTime"),
        *("version", "isAssigned", "supportsScopeTags", "settingCount", "creationSource"),
        *("createdByAppId", "templateId"),
    }
)
STATES = ("enabled", "disabled", "enabledForReportingButNotEnforced")


@dataclass(frozen=True)
class KnownIds:
    """The ids that a policy can refer to."""

    groups: set[str]
    locations: set[str]
    filters: set[str]


def apply(
    request: Request, resource: Resource, objects: dict[str, Json], rest: list[str], known: KnownIds
) -> Response:
    """Apply the request and return Graph's response. `rest` is the path after the collection.

    Raises:
        RequestRefused: Graph would not accept the request.
    """
    if len(rest) == 2 and request.method == "POST":
        return _act(rest[1], _get(objects, rest[0]), request.json(), resource, known)
    if request.method not in resource.writable or len(rest) != (request.method != "POST"):
        raise RequestRefused(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
    if request.method == "POST":
        return _create(request.json(), resource, objects, known)
    entry = _get(objects, rest[0])
    if request.method == "DELETE":
        del objects[rest[0]]
        return Response(204)
    return _change(request, entry, resource, known)


def _create(body: Json, resource: Resource, objects: dict[str, Json], known: KnownIds) -> Response:
    _refuse_read_only(body)
    _refuse_ids(body.get("scheduledActionsForRule") or [])
    _check(body, resource, known, sent=body)
    now = _now()
    created = copy.deepcopy(body)
    created |= {"id": str(uuid.uuid4()), "createdDateTime": now, _modified_name(resource): now}
    if resource.type_only:
        created["@odata.type"] = resource.type_only
    _number_settings(created)
    for part in resource.hidden:
        created.setdefault(part, [])
    objects[created["id"]] = created
    return Response(201, _visible(created, resource))


def _change(request: Request, entry: Json, resource: Resource, known: KnownIds) -> Response:
    body = request.json()
    if "scheduledActionsForRule" in body and request.method == "PATCH":
        raise RequestRefused(
            400, "BadRequest", "scheduledActionsForRule cannot be changed by PATCH."
        )
    _refuse_read_only(body)
    if request.method == "PATCH":
        changed = _merge(entry, body)
    else:
        hidden = {name: entry.get(name) for name in resource.hidden if name != "settings"}
        changed = {**hidden, **copy.deepcopy(body)}
    changed |= {"id": entry["id"], "createdDateTime": entry.get("createdDateTime")}
    _check(changed, resource, known, sent=body, existing=True)
    entry.clear()
    entry.update(changed)
    entry[_modified_name(resource)] = _now()
    _number_settings(entry)
    if request.method == "PUT" or resource.patch_status == 204:
        return Response(204)
    return Response(resource.patch_status, _visible(entry, resource))


def _merge(entry: Json, body: Json) -> Json:
    """Merge as PATCH does: properties that the body omits stay, also within complex values."""
    merged = dict(entry)
    for name, value in body.items():
        merged[name] = value
        if isinstance(value, dict) and isinstance(entry.get(name), dict):
            merged[name] = _merge(entry[name], value)
    return merged


def _visible(entry: Json, resource: Resource) -> Json:
    return {key: value for key, value in entry.items() if key not in resource.hidden}


def _number_settings(entry: Json) -> None:
    for ordinal, setting in enumerate(entry.get("settings") or []):
        setting["id"] = str(ordinal)


def _modified_name(resource: Resource) -> str:
    return "modifiedDateTime" if resource.paced else "lastModifiedDateTime"


# --- Actions --------------------------------------------------------------------------------


def _act(action: str, entry: Json, body: Json, resource: Resource, known: KnownIds) -> Response:
    actions: dict[str, Callable[[Json, Json, Resource, KnownIds], Response]] = {
        "assign": _assign,
        "scheduleActionsForRules": _schedule_actions,
        "windowsPrivacyAccessControls": _set_privacy_controls,
        "targetApps": _target_apps,
    }
    if action not in actions or "assignments" not in resource.hidden:
        raise RequestRefused(400, "BadRequest", f"Resource not found for the segment '{action}'.")
    return actions[action](entry, body, resource, known)


def _assign(entry: Json, body: Json, resource: Resource, known: KnownIds) -> Response:
    """Replace all assignments, as Graph does."""
    assignments = body.get("assignments")
    if not isinstance(assignments, list):
        raise RequestRefused(400, "BadRequest", "The assignments are missing.")
    entry["assignments"] = [
        _assignment(entry["id"], one, known) for one in assignments if isinstance(one, dict)
    ]
    if resource.assign_status == 204:
        return Response(204)
    return Response(200, {"value": copy.deepcopy(entry["assignments"])})


def _assignment(policy_id: str, assignment: Json, known: KnownIds) -> Json:
    target = assignment.get("target")
    if not isinstance(target, dict) or target.get("@odata.type") not in TARGETS:
        raise RequestRefused(400, "BadRequest", "The assignment has no known target.")
    group_id = target.get("groupId")
    filter_id = target.get("deviceAndAppManagementAssignmentFilterId")
    if group_id and group_id not in known.groups:
        raise RequestRefused(400, "BadRequest", f"The group {group_id} does not exist.")
    if filter_id and filter_id not in known.filters:
        raise RequestRefused(
            400, "BadRequest", f"The assignment filter {filter_id} does not exist."
        )
    is_exclusion = target["@odata.type"].endswith("exclusionGroupAssignmentTarget")
    if is_exclusion and filter_id:
        raise RequestRefused(400, "BadRequest", "Filters are not allowed on exclusion targets.")
    return {
        "id": f"{policy_id}_{group_id or target['@odata.type'].rpartition('.')[2]}",
        "source": "direct",
        "sourceId": policy_id,
        "target": copy.deepcopy(target),
    }


def _set_privacy_controls(entry: Json, body: Json, *_: Any) -> Response:
    controls = body.get("windowsPrivacyAccessControls")
    if not isinstance(controls, list):
        raise RequestRefused(400, "BadRequest", "The privacy access controls are missing.")
    entry["privacyAccessControls"] = copy.deepcopy(controls)
    return Response(204)


def _schedule_actions(entry: Json, body: Json, *_: Any) -> Response:
    rules = copy.deepcopy(body.get("deviceComplianceScheduledActionForRules") or [])
    _refuse_ids(rules)
    _check_actions(rules)
    _add_ids(rules)
    entry["scheduledActionsForRule"] = rules
    return Response(204)


def _target_apps(entry: Json, body: Json, *_: Any) -> Response:
    entry["apps"] = [{"id": str(uuid.uuid4()), **app} for app in body.get("apps", [])]
    entry["appGroupType"] = body.get("appGroupType", "selectedPublicApps")
    entry["deployedAppCount"] = len(entry["apps"])
    return Response(204)


# --- Checks ---------------------------------------------------------------------------------


def _check(
    body: Json, resource: Resource, known: KnownIds, *, sent: Json, existing: bool = False
) -> None:
    """Refuse an object that Graph refuses, and references in what was sent to unknown objects."""
    name = body.get(resource.name_field)
    if not isinstance(name, str) or not name.strip():
        raise RequestRefused(400, "BadRequest", f"Property {resource.name_field} is missing.")
    if resource.needs_type and not str(body.get("@odata.type", "")).startswith("#microsoft.graph."):
        raise RequestRefused(
            400, "BadRequest", "Must specify the type of the entity: '@odata.type'."
        )
    if resource.kind == "settings_catalog":
        _check_settings(body)
    if resource.kind == "compliance":
        _check_actions(body.get("scheduledActionsForRule"), existing=existing)
        _add_ids(body.get("scheduledActionsForRule") or [])
    if resource.kind == "conditional_access":
        _check_conditional_access(body)
        _check_conditions(sent.get("conditions") or {}, known)


def _refuse_read_only(body: Json) -> None:
    """Refuse properties that an export has and a write must not have."""
    annotations = {key for key in body if "@odata." in key and key != "@odata.type"}
    separate = {"assignments", "privacyAccessControls"} & body.keys()
    if read_only := sorted(READ_ONLY & body.keys() | annotations | separate):
        raise RequestRefused(400, "BadRequest", f"Property '{read_only[0]}' is read-only.")


def _refuse_ids(rules: list[Json]) -> None:
    """Refuse ids of rules and their actions: Graph sets them."""
    if any("id" in entry for entry in [*rules, *_actions_of(rules)]):
        raise RequestRefused(400, "BadRequest", "Property 'id' of a scheduled action is read-only.")


def _check_settings(body: Json) -> None:
    settings = body.get("settings")
    if not isinstance(settings, list) or not settings:
        raise RequestRefused(400, "BadRequest", "At least one setting is required.")
    for setting in settings:
        instance = setting.get("settingInstance") if isinstance(setting, dict) else None
        if not isinstance(instance, dict) or not instance.get("settingDefinitionId"):
            raise RequestRefused(400, "BadRequest", "A setting has no settingDefinitionId.")
    if not body.get("platforms") or not body.get("technologies"):
        raise RequestRefused(400, "BadRequest", "Platforms and technologies are required.")


def _check_actions(rules: Any, *, existing: bool = False) -> None:
    actions = _actions_of(rules) if isinstance(rules, list) else []
    has_block = any(action.get("actionType") == "block" for action in actions)
    if not has_block and not existing:
        text = "Compliance policy must have a scheduled action rule with a block action."
        raise RequestRefused(400, "BadRequest", text)


def _actions_of(rules: list[Json]) -> list[Json]:
    lists = [rule.get("scheduledActionConfigurations") or [] for rule in rules]
    return list(itertools.chain.from_iterable(lists))


def _add_ids(rules: list[Json]) -> None:
    for entry in [*rules, *_actions_of(rules)]:
        entry.setdefault("id", str(uuid.uuid4()))


def _check_conditional_access(body: Json) -> None:
    if body.get("state") not in STATES:
        raise RequestRefused(400, "BadRequest", "1001: state is not valid.")
    conditions = body.get("conditions")
    if not isinstance(conditions, dict) or not conditions.get("applications"):
        raise RequestRefused(400, "BadRequest", "1007: conditions are incomplete.")
    if conditions.get("deviceStates"):
        raise RequestRefused(400, "BadRequest", "1032: deviceStates is deprecated.")


def _check_conditions(conditions: Json, known: KnownIds) -> None:
    users = conditions.get("users") or {}
    _check_known(users, ("includeGroups", "excludeGroups"), known.groups, "group")
    locations = conditions.get("locations") or {}
    _check_known(locations, ("includeLocations", "excludeLocations"), known.locations, "location")


#: Names and the zero id (“MFA trusted IPs”) that stand for no object of the tenant.
BUILT_IN = frozenset({"All", "AllTrusted", "None", "00000000-0000-0000-0000-000000000000"})


def _check_known(condition: Json, names: Iterable[str], known: set[str], noun: str) -> None:
    for name in names:
        for value in condition.get(name) or []:
            if value not in known and value not in BUILT_IN:
                raise RequestRefused(400, "BadRequest", f"1011: {noun} {value} does not exist.")


def _get(objects: dict[str, Json], object_id: str) -> Json:
    if object_id not in objects:
        raise RequestRefused(404, "ResourceNotFound", f"Resource '{object_id}' does not exist.")
    return objects[object_id]


def _now() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
