"""Creates, changes, assigns and deletes objects with the checks that Graph makes."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from dev.graph_sandbox.messages import Json, Request, RequestRefused, Response
from dev.graph_sandbox.resources import Resource
from providers.graph.kinds import KIND
from providers.graph.normalize import MASKED_VALUE, is_annotation
from providers.graph.policy_kind import Action, Assign, Link, PolicyKind, in_sentence
from providers.graph.references import ids_by_kind

TARGETS = (
    "#microsoft.graph.groupAssignmentTarget",
    "#microsoft.graph.exclusionGroupAssignmentTarget",
    "#microsoft.graph.allDevicesAssignmentTarget",
    "#microsoft.graph.allLicensedUsersAssignmentTarget",
    "#microsoft.graph.configurationManagerCollectionAssignmentTarget",
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


#: Returns the ids of a kind, to which an object can refer.
KnownIds = Callable[[str], set[str]]


def apply(
    request: Request, resource: Resource, objects: dict[str, Json], rest: list[str], known: KnownIds
) -> Response:
    """Apply the request and return Graph's response. `rest` is the path after the collection.

    Raises:
        RequestRefused: Graph would not accept the request.
    """
    if rest[-1:] == ["$ref"]:
        return _write_link(request, _get(objects, rest[0]), rest[1:-1], resource, known)
    if len(rest) > 1 and _children(resource, rest[1]):
        return _write_child(request, _get(objects, rest[0]), rest[1:], resource, known)
    if len(rest) == 2 and request.method == "POST":
        return _act(rest[1], _get(objects, rest[0]), request.json(), resource, known)
    if request.method not in resource.writes or len(rest) != (request.method != "POST"):
        raise RequestRefused(405, "Request_BadRequest", "Specified HTTP method is not allowed.")
    if request.method == "POST":
        return _create(request.json(), resource, objects, known)
    entry = _get(objects, rest[0])
    if request.method == "DELETE":
        del objects[rest[0]]
        return Response(204)
    return _change(request, entry, resource, known)


def _create(body: Json, resource: Resource, objects: dict[str, Json], known: KnownIds) -> Response:
    _refuse_read_only(body, resource)
    body = _bind(body, resource, known)
    _refuse_ids(body.get("scheduledActionsForRule") or [])
    _check(body, resource, known, sent=body)
    now = _now()
    created = copy.deepcopy(body)
    created_id = body["id"] if _keeps_id(resource) else str(uuid.uuid4())
    created |= {"id": created_id, "createdDateTime": now, _modified_name(resource): now}
    if resource.type_only:
        created["@odata.type"] = resource.type_only
    created |= dict.fromkeys(resource.service.read_only)
    _complete_settings(created)
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
    _refuse_read_only(body, resource)
    if request.method == "PATCH":
        changed = _merge(entry, body)
    else:
        hidden = {name: entry.get(name) for name in resource.hidden if name != "settings"}
        changed = {**hidden, **copy.deepcopy(body)}
        _keep_nulls(entry, changed)
    changed |= {"id": entry["id"], "createdDateTime": entry.get("createdDateTime")}
    _check(changed, resource, known, sent=body, existing=True)
    entry.clear()
    entry.update(changed)
    entry[_modified_name(resource)] = _now()
    _complete_settings(entry)
    if request.method == "PUT" or resource.service.patch_status == 204:
        return Response(204)
    return Response(resource.service.patch_status, _visible(entry, resource))


def _merge(entry: Json, body: Json) -> Json:
    """Merge as PATCH does: properties that the body omits stay, also within complex values."""
    merged = dict(entry)
    for name, value in body.items():
        merged[name] = value
        if isinstance(value, dict) and isinstance(entry.get(name), dict):
            merged[name] = _merge(entry[name], value)
    return merged


def _keep_nulls(entry: Json, changed: Json) -> None:
    """Keep null for what a body leaves out: Graph returns properties without a value so."""
    for name, value in entry.items():
        if value is None:
            changed.setdefault(name)
        elif isinstance(value, dict) and isinstance(changed.get(name), dict):
            _keep_nulls(value, changed[name])


def _visible(entry: Json, resource: Resource) -> Json:
    return {key: value for key, value in entry.items() if key not in resource.hidden}


def _complete_settings(entry: Json) -> None:
    """Number the settings, and add the references to templates, which Graph returns as null."""
    for ordinal, setting in enumerate(entry.get("settings") or []):
        setting["id"] = str(ordinal)
        _add_template_references(setting.get("settingInstance"))


def _add_template_references(instance: Any) -> None:
    if not isinstance(instance, dict):
        return
    instance.setdefault("settingInstanceTemplateReference", None)
    parts = [part for name, part in instance.items() if name.endswith("Value")]
    for part in parts:
        for value in part if isinstance(part, list) else [part]:
            if isinstance(value, dict):
                value.setdefault("settingValueTemplateReference", None)
                for child in value.get("children") or []:
                    _add_template_references(child)


def _modified_name(resource: Resource) -> str:
    return "modifiedDateTime" if resource.service.is_paced else "lastModifiedDateTime"


# --- Actions --------------------------------------------------------------------------------


def _act(action: str, entry: Json, body: Json, resource: Resource, known: KnownIds) -> Response:
    kind = resource.policy_kind
    if kind and kind.assign and action == "assign":
        return _assign(entry, body, resource, kind.assign, known)
    for each in kind.actions if kind else ():
        if each.name == action:
            return _set_by_action(entry, body, each)
    raise RequestRefused(400, "BadRequest", f"Resource not found for the segment '{action}'.")


def _assign(
    entry: Json, body: Json, resource: Resource, assign: Assign, known: KnownIds
) -> Response:
    """Replace all assignments, as Graph does."""
    assignments = body.get(assign.argument)
    if not isinstance(assignments, list):
        raise RequestRefused(400, "BadRequest", "The assignments are missing.")
    entry["assignments"] = [
        _assignment(entry["id"], one, assign, known) for one in assignments if isinstance(one, dict)
    ]
    if resource.service.assign_status == 204:
        return Response(204)
    return Response(200, {"value": copy.deepcopy(entry["assignments"])})


def _assignment(policy_id: str, assignment: Json, assign: Assign, known: KnownIds) -> Json:
    target = assignment.get("target")
    if not isinstance(target, dict) or target.get("@odata.type") not in TARGETS:
        raise RequestRefused(400, "BadRequest", "The assignment has no known target.")
    group_id = target.get("groupId")
    filter_id = target.get("deviceAndAppManagementAssignmentFilterId")
    if group_id and group_id not in known("groups"):
        raise RequestRefused(400, "BadRequest", f"The group {group_id} does not exist.")
    if filter_id and filter_id not in known("assignment_filters"):
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
        **{name: copy.deepcopy(assignment.get(name)) for name in assign.properties},
    }


def _set_by_action(entry: Json, body: Json, action: Action) -> Response:
    value = copy.deepcopy(body.get(action.argument))
    if value is None:
        raise RequestRefused(400, "BadRequest", f"The argument {action.argument} is missing.")
    if action.property == "scheduledActionsForRule":
        _refuse_ids(value)
        _check_actions(value)
        _add_ids(value)
    entry[action.property] = value
    entry |= {name: body[name] for name in action.more if name in body}
    return Response(204)


# --- Encrypted values -----------------------------------------------------------------------

#: The property under which the sandbox keeps the value of an encrypted setting.
PLAIN_VALUE = "plainValue"
_PLAIN_VALUE = re.compile(r"getOmaSettingPlainTextValue\(secretReferenceValueId='([^']*)'\)")
_ENCRYPTED_TYPES = ("omaSettingString", "omaSettingStringXml", "omaSettingBase64")


def encrypt_values(entry: Json) -> None:
    """Replace the values of OMA-URI settings by masks, as Intune does."""
    for setting in entry.get("omaSettings") or []:
        odata_type = str(setting.get("@odata.type")).removeprefix("#microsoft.graph.")
        if odata_type in _ENCRYPTED_TYPES and PLAIN_VALUE not in setting:
            value_id = f"{entry['id']}_{uuid.uuid4()}"
            setting |= {PLAIN_VALUE: setting.get("value"), "secretReferenceValueId": value_id}
            setting |= {"value": MASKED_VALUE, "isEncrypted": True}


def is_plain_value(segments: list[str]) -> bool:
    """Return whether the rest of a path asks for the value of an encrypted setting."""
    return len(segments) == 2 and bool(_PLAIN_VALUE.fullmatch(segments[1]))


def plain_value(entry: Json, segment: str) -> str:
    """Return the value of an encrypted setting.

    Raises:
        RequestRefused: the object has no such setting.
    """
    match = _PLAIN_VALUE.fullmatch(segment)
    for setting in entry.get("omaSettings") or []:
        if match and setting.get("secretReferenceValueId") == match[1]:
            return str(setting.get(PLAIN_VALUE))
    raise RequestRefused(404, "ResourceNotFound", "The value does not exist.")


# --- Checks ---------------------------------------------------------------------------------


def _check(
    body: Json, resource: Resource, known: KnownIds, *, sent: Json, existing: bool = False
) -> None:
    """Refuse an object that Graph refuses, and references in what was sent to unknown objects."""
    name = body.get(resource.name_field)
    if not isinstance(name, str) or not name.strip():
        raise RequestRefused(400, "BadRequest", f"Property {resource.name_field} is missing.")
    if resource.service.needs_type and not str(body.get("@odata.type", "")).startswith(
        "#microsoft.graph."
    ):
        raise RequestRefused(
            400, "BadRequest", "Must specify the type of the entity: '@odata.type'."
        )
    if resource.kind == "settings_catalog":
        _check_settings(body)
    if resource.policy_kind:
        _check_references(sent, resource.policy_kind, known)
    if resource.kind == "compliance":
        _check_actions(body.get("scheduledActionsForRule"), existing=existing)
        _add_ids(body.get("scheduledActionsForRule") or [])
    if resource.kind == "conditional_access":
        _check_conditional_access(body)
        _check_conditions(sent, known)


def _refuse_read_only(body: Json, resource: Resource) -> None:
    """Refuse properties that an export has and a write must not have."""
    annotations = {key for key in body if is_annotation(key) and not key.endswith("@odata.bind")}
    refused = READ_ONLY | _separate_properties(resource) | set(resource.service.read_only)
    if _keeps_id(resource):
        refused -= {"id"}
    if read_only := sorted(refused & body.keys() | annotations):
        raise RequestRefused(400, "BadRequest", f"Property '{read_only[0]}' is read-only.")


def _separate_properties(resource: Resource) -> set[str]:
    """The properties that only an action of the object writes."""
    kind = resource.policy_kind
    if kind is None:
        return {"assignments"}
    by_actions = {each.property for each in kind.actions if not each.is_in_creation}
    return {"assignments"} | by_actions | {each.property for each in kind.children}


def link_of(resource: Resource, entry: Json, rest: list[str]) -> Link | None:
    """The link that the path after an object leads to, if it is one."""
    links = resource.policy_kind.links(entry) if resource.policy_kind else ()
    path = "/".join(rest)
    return next((link for link in links if f"{path}/".startswith(f"{link.path}/")), None)


def _write_link(
    request: Request, entry: Json, rest: list[str], resource: Resource, known: KnownIds
) -> Response:
    """Add, replace or remove a link of an object to another."""
    link = link_of(resource, entry, rest)
    if link is None:
        raise RequestRefused(400, "BadRequest", "Resource not found for the segment '$ref'.")
    linked = list(entry.get(link.name) or [])
    if request.method == "DELETE":
        removed_id = "/".join(rest).removeprefix(link.path).strip("/")
        entry[link.name] = [each for each in linked if removed_id and each != removed_id]
        return Response(204)
    added = _linked_id(link, request.json().get("@odata.id"), known)
    entry[link.name] = [*linked, added] if link.is_list else [added]
    return Response(204)


def _linked_id(link: Link, address: object, known: KnownIds) -> str:
    match = re.search(r"[/'(]([^/'()]+)(?:'\))?$", str(address))
    if not match or not str(address).startswith("http"):
        raise RequestRefused(400, "BadRequest", "Invalid reference.")
    if link.kind and match[1] not in known(link.kind):
        raise RequestRefused(400, "BadRequest", f"The object {match[1]} does not exist.")
    return match[1]


def _bind(body: Json, resource: Resource, known: KnownIds) -> Json:
    """Return the body with the ids of what it binds in place of their addresses."""
    bound = {name: value for name, value in body.items() if name.endswith("@odata.bind")}
    result = {name: value for name, value in body.items() if name not in bound}
    links = resource.policy_kind.links(body) if resource.policy_kind else ()
    for link in links:
        value = bound.pop(f"{link.name}@odata.bind", [])
        addresses = value if isinstance(value, list) else [value]
        result[link.name] = [_linked_id(link, each, known) for each in addresses]
    if bound:
        raise RequestRefused(400, "BadRequest", f"Property '{next(iter(bound))}' is unknown.")
    return result


def _keeps_id(resource: Resource) -> bool:
    return bool(resource.policy_kind and resource.policy_kind.keeps_id)


def _children(resource: Resource, name: str) -> bool:
    """Whether a property consists of objects that are written one by one."""
    kind = resource.policy_kind
    if kind is None:
        return False
    if name == "assignments":
        return bool(kind.assign and kind.assign.is_one_by_one)
    return any(each.property == name for each in kind.children)


def _write_child(
    request: Request, entry: Json, rest: list[str], resource: Resource, known: KnownIds
) -> Response:
    """Add, change or delete one object within a property of another."""
    name, *child_id = rest
    if not child_id and request.method == "POST":
        child = {"id": f"{entry['id']}_{uuid.uuid4()}", **request.json()}
        kind = resource.policy_kind
        if name == "assignments" and kind and kind.assign:
            child |= {"target": _assignment(entry["id"], child, kind.assign, known)["target"]}
        entry[name] = [*(entry.get(name) or []), child]
        return Response(201, child)
    matches = [each for each in entry.get(name) or [] if [each["id"]] == child_id]
    if not matches or request.method not in ("PATCH", "DELETE"):
        raise RequestRefused(404, "ResourceNotFound", "Resource does not exist.")
    if request.method == "PATCH":
        matches[0].update(request.json())
        return Response(200, matches[0])
    entry[name].remove(matches[0])
    return Response(204)


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


def _check_conditions(sent: Json, known: KnownIds) -> None:
    conditions = sent.get("conditions") or {}
    for referred, ids in ids_by_kind(KIND["conditional_access"].references, sent).items():
        if referred in ("users", "role_definitions", "applications", "directory_objects"):
            noun = in_sentence(KIND[referred].label)
            for missing in sorted(ids - known(referred)):
                raise RequestRefused(400, "BadRequest", f"1011: {noun} {missing} does not exist.")
    users = conditions.get("users") or {}
    _check_known(users, ("includeGroups", "excludeGroups"), known("groups"), "group")
    locations = conditions.get("locations") or {}
    _check_known(
        locations, ("includeLocations", "excludeLocations"), known("named_location"), "location"
    )


def _check_references(sent: Json, kind: PolicyKind, known: KnownIds) -> None:
    for referred, ids in ids_by_kind(kind.references, sent).items():
        if referred in KIND and kind.key != "conditional_access":
            for missing in sorted(ids - known(referred)):
                raise RequestRefused(400, "BadRequest", f"The object {missing} does not exist.")


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
