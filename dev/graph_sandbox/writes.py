"""Creating, changing, assigning and deleting, with the checks that Graph makes."""

from __future__ import annotations

import copy
import datetime as dt
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dev.graph_sandbox.messages import Answer, Json, Refused, Request
from dev.graph_sandbox.resources import Resource

TARGETS = (
    "#microsoft.graph.groupAssignmentTarget",
    "#microsoft.graph.exclusionGroupAssignmentTarget",
    "#microsoft.graph.allDevicesAssignmentTarget",
    "#microsoft.graph.allLicensedUsersAssignmentTarget",
)
#: What Graph sets itself and refuses to be given.
READ_ONLY = frozenset(
    {
        *("id", "createdDateTime", "lastModifiedDateTime", "modifiedDateTime", "deletedDateTime"),
        *("version", "isAssigned", "supportsScopeTags", "settingCount", "creationSource"),
        *("createdByAppId", "templateId"),
    }
)
STATES = ("enabled", "disabled", "enabledForReportingButNotEnforced")


@dataclass(frozen=True)
class Known:
    """Ids that a policy may refer to."""

    groups: set[str]
    locations: set[str]
    filters: set[str]


def apply(
    request: Request, resource: Resource, objects: dict[str, Json], rest: list[str], known: Known
) -> Answer:
    """Make the change and give Graph's answer.

    Raises:
        Refused: Graph would not accept it.
    """
    if len(rest) == 2 and request.method == "POST":
        return _act(rest[1], _found(objects, rest[0]), request.json(), resource, known)
    if request.method not in resource.writable or len(rest) != (request.method != "POST"):
        raise Refused(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
    if request.method == "POST":
        return _create(request.json(), resource, objects, known)
    entry = _found(objects, rest[0])
    if request.method == "DELETE":
        del objects[rest[0]]
        return Answer(204)
    return _change(request, entry, resource, known)


def _create(body: Json, resource: Resource, objects: dict[str, Json], known: Known) -> Answer:
    _refuse_read_only(body)
    _refuse_ids(body.get("scheduledActionsForRule") or [])
    _check(body, resource, known)
    now = _now()
    created = copy.deepcopy(body)
    created |= {"id": str(uuid.uuid4()), "createdDateTime": now, **_modified(resource, now)}
    if resource.type_only:
        created["@odata.type"] = resource.type_only
    _number(created)
    for part in resource.hidden:
        created.setdefault(part, [])
    objects[created["id"]] = created
    shown = {key: value for key, value in created.items() if key not in resource.hidden}
    return Answer(201, shown)


def _change(request: Request, entry: Json, resource: Resource, known: Known) -> Answer:
    body = request.json()
    if "scheduledActionsForRule" in body and request.method == "PATCH":
        raise Refused(400, "BadRequest", "scheduledActionsForRule cannot be changed by PATCH.")
    _refuse_read_only(body)
    is_patch = request.method == "PATCH"
    changed = _merged(entry, body) if is_patch else _replaced(entry, body, resource)
    changed |= {"id": entry["id"], "createdDateTime": entry.get("createdDateTime")}
    _check(changed, resource, known, existing=True)
    entry.clear()
    entry.update(changed, **_modified(resource, _now()))
    _number(entry)
    shown = {key: value for key, value in entry.items() if key not in resource.hidden}
    status = 204 if request.method == "PUT" else resource.patch_status
    return Answer(status, None if status == 204 else shown)


def _merged(entry: Json, body: Json) -> Json:
    """As a PATCH does: what is not spoken of stays, within complex values too."""
    return entry | {
        name: _merged(entry[name], value)
        if isinstance(value, dict) and isinstance(entry.get(name), dict)
        else value
        for name, value in body.items()
    }


def _replaced(entry: Json, body: Json, resource: Resource) -> Json:
    kept = {part: entry.get(part) for part in resource.hidden if part != "settings"}
    return {**kept, **copy.deepcopy(body)}


def _number(entry: Json) -> None:
    for ordinal, setting in enumerate(entry.get("settings") or []):
        setting["id"] = str(ordinal)


def _modified(resource: Resource, now: str) -> Json:
    name = "modifiedDateTime" if resource.paced else "lastModifiedDateTime"
    return {name: now}


# --- Actions --------------------------------------------------------------------------------


def _act(action: str, entry: Json, body: Json, resource: Resource, known: Known) -> Answer:
    actions: dict[str, Callable[[Json, Json, Resource, Known], Answer]] = {
        "assign": _assign,
        "scheduleActionsForRules": _schedule_actions,
        "windowsPrivacyAccessControls": _control_privacy,
        "targetApps": _target_apps,
    }
    if action not in actions or "assignments" not in resource.hidden:
        raise Refused(400, "BadRequest", f"Resource not found for the segment '{action}'.")
    return actions[action](entry, body, resource, known)


def _assign(entry: Json, body: Json, resource: Resource, known: Known) -> Answer:
    """Replaces the whole set, as Graph does."""
    wanted = body.get("assignments")
    if not isinstance(wanted, list):
        raise Refused(400, "BadRequest", "The assignments are missing.")
    entry["assignments"] = [
        _assignment(entry["id"], one, known) for one in wanted if isinstance(one, dict)
    ]
    if resource.assign_status == 204:
        return Answer(204)
    return Answer(200, {"value": copy.deepcopy(entry["assignments"])})


def _assignment(policy_id: str, wanted: Json, known: Known) -> Json:
    target = wanted.get("target")
    if not isinstance(target, dict) or target.get("@odata.type") not in TARGETS:
        raise Refused(400, "BadRequest", "The assignment has no known target.")
    group, used = target.get("groupId"), target.get("deviceAndAppManagementAssignmentFilterId")
    if group and group not in known.groups:
        raise Refused(400, "BadRequest", f"The group {group} does not exist.")
    if used and used not in known.filters:
        raise Refused(400, "BadRequest", f"The assignment filter {used} does not exist.")
    excludes = target["@odata.type"].endswith("exclusionGroupAssignmentTarget")
    if excludes and used:
        raise Refused(400, "BadRequest", "Filters are not allowed on exclusion targets.")
    return {
        "id": f"{policy_id}_{target.get('groupId') or target['@odata.type'].rpartition('.')[2]}",
        "source": "direct",
        "sourceId": policy_id,
        "target": copy.deepcopy(target),
    }


def _control_privacy(entry: Json, body: Json, *_: Any) -> Answer:
    controls = body.get("windowsPrivacyAccessControls")
    if not isinstance(controls, list):
        raise Refused(400, "BadRequest", "The privacy access controls are missing.")
    entry["privacyAccessControls"] = copy.deepcopy(controls)
    return Answer(204)


def _schedule_actions(entry: Json, body: Json, *_: Any) -> Answer:
    rules = body.get("deviceComplianceScheduledActionForRules")
    _refuse_ids(rules or [])
    _check_actions(rules)
    entry["scheduledActionsForRule"] = _with_ids(copy.deepcopy(rules or []))
    return Answer(204)


def _target_apps(entry: Json, body: Json, *_: Any) -> Answer:
    entry["apps"] = [{"id": str(uuid.uuid4()), **app} for app in body.get("apps", [])]
    entry["appGroupType"] = body.get("appGroupType", "selectedPublicApps")
    entry["deployedAppCount"] = len(entry["apps"])
    return Answer(204)


# --- Checks ---------------------------------------------------------------------------------


def _check(body: Json, resource: Resource, known: Known, *, existing: bool = False) -> None:
    name = body.get(resource.name_field)
    if not isinstance(name, str) or not name.strip():
        raise Refused(400, "BadRequest", f"Property {resource.name_field} is missing.")
    if resource.needs_type and not str(body.get("@odata.type", "")).startswith("#microsoft.graph."):
        raise Refused(400, "BadRequest", "Must specify the type of the entity: '@odata.type'.")
    if resource.kind == "settings_catalog":
        _check_settings(body)
    if resource.kind == "compliance":
        _check_actions(body.get("scheduledActionsForRule"), existing=existing)
        _with_ids(body.get("scheduledActionsForRule") or [])
    if resource.kind == "conditional_access":
        _check_conditional_access(body, known)


def _refuse_read_only(body: Json) -> None:
    """Refuse what an export has and a write may not have."""
    annotations = {key for key in body if "@odata." in key and key != "@odata.type"}
    apart = {"assignments", "privacyAccessControls"} & body.keys()
    if refused := sorted(READ_ONLY & body.keys() | annotations | apart):
        raise Refused(400, "BadRequest", f"Property '{refused[0]}' is read-only.")


def _refuse_ids(rules: list[Json]) -> None:
    """Rules and their actions get their ids from Graph."""
    actions = [one for rule in rules for one in rule.get("scheduledActionConfigurations") or []]
    if any("id" in entry for entry in [*rules, *actions]):
        raise Refused(400, "BadRequest", "Property 'id' of a scheduled action is read-only.")


def _check_settings(body: Json) -> None:
    settings = body.get("settings")
    if not isinstance(settings, list) or not settings:
        raise Refused(400, "BadRequest", "At least one setting is required.")
    for setting in settings:
        instance = setting.get("settingInstance") if isinstance(setting, dict) else None
        if not isinstance(instance, dict) or not instance.get("settingDefinitionId"):
            raise Refused(400, "BadRequest", "A setting has no settingDefinitionId.")
    if not body.get("platforms") or not body.get("technologies"):
        raise Refused(400, "BadRequest", "Platforms and technologies are required.")


def _check_actions(rules: Any, *, existing: bool = False) -> None:
    actions = [
        action.get("actionType")
        for rule in (rules if isinstance(rules, list) else [])
        for action in rule.get("scheduledActionConfigurations") or []
    ]
    if "block" not in actions and not existing:
        text = "Compliance policy must have a scheduled action rule with a block action."
        raise Refused(400, "BadRequest", text)


def _with_ids(rules: list[Json]) -> list[Json]:
    for rule in rules:
        rule.setdefault("id", str(uuid.uuid4()))
        for action in rule.get("scheduledActionConfigurations") or []:
            action.setdefault("id", str(uuid.uuid4()))
    return rules


def _check_conditional_access(body: Json, known: Known) -> None:
    if body.get("state") not in STATES:
        raise Refused(400, "BadRequest", "1001: state is not valid.")
    conditions = body.get("conditions")
    if not isinstance(conditions, dict) or not conditions.get("applications"):
        raise Refused(400, "BadRequest", "1007: conditions are incomplete.")
    if conditions.get("deviceStates"):
        raise Refused(400, "BadRequest", "1032: deviceStates is deprecated.")
    users = conditions.get("users") or {}
    _check_known(users, ("includeGroups", "excludeGroups"), known.groups, "group")
    locations = conditions.get("locations") or {}
    _check_known(locations, ("includeLocations", "excludeLocations"), known.locations, "location")


def _check_known(part: Json, names: Iterable[str], known: set[str], what: str) -> None:
    for name in names:
        for value in part.get(name) or []:
            if value not in known and value not in ("All", "AllTrusted", "None"):
                raise Refused(400, "BadRequest", f"1011: {what} {value} does not exist.")


def _found(objects: dict[str, Json], object_id: str) -> Json:
    if object_id not in objects:
        raise Refused(404, "ResourceNotFound", f"Resource '{object_id}' does not exist.")
    return objects[object_id]


def _now() -> str:
    return f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
