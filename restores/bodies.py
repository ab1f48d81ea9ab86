"""The states and request bodies of objects, as JSON, and how two states are compared. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from providers.graph import references as refs
from providers.graph.normalize import (
    MASKED_VALUE,
    canonical_json,
    hash_of,
    is_masked,
    is_sealed,
    without_nulls,
)
from providers.graph.policy_kind import Assign, Children, PolicyKind
from restores.models import AccessState, Assignments

Json = dict[str, Any]

ENABLED, REPORT_ONLY = "enabled", "enabledForReportingButNotEnforced"
#: Properties that Graph sets on objects of every kind and rejects in a request, besides those that
#: `PolicyKind.content` removes. They are no one's decision, so they are not compared either.
READ_ONLY = frozenset({"createdByAppId", "templateId"})
FILTER_ID = "deviceAndAppManagementAssignmentFilterId"
ZERO_ID = "00000000-0000-0000-0000-000000000000"
ENCRYPTED_STATE = "encryptedValueToken"


@dataclass(frozen=True)
class Options:
    """The operator's choices for all objects of a restore."""

    assignments: str = Assignments.KEEP
    access_state: str = AccessState.REPORT_ONLY


# --- states -----------------------------------------------------------------------------------------


def comparable_state(kind: PolicyKind, payload: Json, options: Options) -> Json:
    """The part of a captured object that a restore with these options compares and writes."""
    content = kind.content(payload)
    if kind.assign is None or options.assignments == Assignments.KEEP:
        content.pop("assignments", None)
    elif "assignments" in content:
        content["assignments"] = sent_assignments(kind.assign, content["assignments"])
    if kind.simplify:
        content = kind.simplify(content)
    state = without_nulls(content)
    return {name: value for name, value in state.items() if name not in READ_ONLY}


def state_hash(state: Json) -> str:
    """SHA-256 of a comparable state."""
    return hash_of(state)


def is_same_json(value: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: 1 is not true."""
    return canonical_json(value) == canonical_json(other)


def sent_assignments(assign: Assign, assignments: Any) -> list[Json]:
    """Assignments as they are sent: what an administrator decided, in a stable order."""
    entries = assignments if isinstance(assignments, list) else []
    sent = [
        {name: _without_zero_filter(entry[name]) for name in assign.properties if name in entry}
        for entry in entries
        if isinstance(entry, dict) and entry.get("target")
    ]
    return sorted(sent, key=canonical_json)


def _without_zero_filter(value: Any) -> Any:
    """A target without the zero id, which Graph returns where there is no filter."""
    if isinstance(value, dict) and value.get(FILTER_ID) == ZERO_ID:
        return {name: entry for name, entry in value.items() if name != FILTER_ID}
    return value


# --- request bodies ---------------------------------------------------------------------------------


def create_body(kind: PolicyKind, state: Json) -> Json:
    """The body that creates an object; properties with an action are sent separately."""
    separate = _separate(kind, state) - {
        each.property for each in kind.actions if each.is_in_creation
    }
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
    separate = _separate(kind, state)
    whole = _with_removals(create_body(kind, state), current)
    return {
        name: value
        for name, value in whole.items()
        if name not in separate
        and (name == "@odata.type" or not is_same_json(value, current.get(name)))
    }


def replacing_body(kind: PolicyKind, state: Json) -> Json:
    """The body that replaces an object as a whole."""
    body = create_body(kind, state)
    return {name: value for name, value in body.items() if name not in _separate(kind, state)}


def _separate(kind: PolicyKind, state: Json) -> set[str]:
    """The properties that are written by other requests than that with the body."""
    by_actions = {each.property for each in kind.actions}
    by_links = {each.name for each in kind.links(state)}
    return {"assignments"} | by_actions | by_links | {each.property for each in kind.children}


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


@dataclass(frozen=True)
class Request:
    """A request under the path of an object."""

    method: str
    path: str
    body: Json


def follow_up_actions(
    kind: PolicyKind, state: Json, current: Json, *, is_new: bool
) -> list[Request]:
    """The actions that an object needs after its body, in their order."""
    actions = []
    for action in kind.actions:
        value = state.get(action.property, [])
        is_already_sent = is_new and action.is_in_creation
        if not is_already_sent and not is_same_json(value, current.get(action.property, [])):
            more = {name: state[name] for name in action.more if name in state}
            actions.append(Request("POST", action.name, {action.argument: value, **more}))
    return actions


def children_requests(kind: PolicyKind, state: Json, current: Json, live: Json) -> list[Request]:
    """The requests that write the children of an object whose expected and current states are given.

    `live` is the object as it was read, with the ids of its children; empty for a new object.
    """
    requests = []
    for children in kind.children:
        name = children.property
        expected, existing = (_by_key(children, each.get(name)) for each in (state, current))
        ids = {key: entry.get("id") for key, entry in _by_key(children, live.get(name)).items()}
        for key, entry in expected.items():
            if key not in existing:
                requests.append(Request("POST", name, entry))
            elif not is_same_json(entry, existing[key]):
                requests.append(Request("PATCH", f"{name}/{ids[key]}", entry))
        requests += [
            Request("DELETE", f"{name}/{ids[key]}", {}) for key in existing if key not in expected
        ]
    return requests


def link_requests(kind: PolicyKind, state: Json, current: Json, *, is_new: bool) -> list[Request]:
    """The requests that link an object to others, with the paths of these as `@odata.id`."""
    requests = []
    for link in kind.links(state):
        if is_new and link.is_bound_at_creation:
            continue
        expected, existing = (each.get(link.name) or [] for each in (state, current))
        added = [each for each in expected if each not in existing]
        removed = [each for each in existing if each not in expected]
        if link.is_list:
            paths = [f"{link.path}/{quote(each, safe='')}/$ref" for each in removed]
        else:
            paths = [f"{link.path}/$ref"] if removed and not added else []
        requests += [Request("DELETE", path, {}) for path in paths]
        method = "POST" if link.is_list else "PUT"
        requests += [
            Request(method, f"{link.path}/$ref", {"@odata.id": link.address(each)})
            for each in added
        ]
    return requests


def bound_links(kind: PolicyKind, state: Json) -> dict[str, str | list[str]]:
    """The links in the body of a creation, as `NAME@odata.bind` with the paths of the objects."""
    bound: dict[str, str | list[str]] = {}
    for link in kind.links(state):
        paths = [link.address(each) for each in state.get(link.name) or []]
        if link.is_bound_at_creation and paths:
            bound[f"{link.name}@odata.bind"] = paths if link.is_list else paths[0]
    return bound


def _by_key(children: Children, entries: Any) -> dict[str, Json]:
    return {str(entry[children.key]): entry for entry in entries or []}


def assign_requests(kind: PolicyKind, state: Json, live: Json) -> list[Request]:
    """The requests that replace all assignments of an object; see `children_requests` for `live`."""
    assign, expected = kind.assign, state["assignments"]
    if assign is None:
        return []
    if not assign.is_one_by_one:
        return [Request("POST", "assign", {assign.argument: expected})]
    existing = live.get("assignments") or []
    sent = [without_nulls(sent_assignments(assign, [entry])) for entry in existing]
    removed = [
        Request("DELETE", f"assignments/{entry['id']}", {})
        for entry, as_sent in zip(existing, sent, strict=True)
        if not any(is_same_json(as_sent, [each]) for each in expected)
    ]
    added = [
        Request("POST", "assignments", each)
        for each in expected
        if not any(is_same_json([each], as_sent) for as_sent in sent)
    ]
    return [*removed, *added]


def open_values(body: Json, open_value: Callable[[str], str]) -> Json:
    """The body with the values of its encrypted settings in place of the references to them."""
    settings = body.get("omaSettings")
    if not isinstance(settings, list):
        return body
    opened = [_open_value(each, open_value) for each in settings]
    return {**body, "omaSettings": opened}


def _open_value(setting: Any, open_value: Callable[[str], str]) -> Any:
    if not isinstance(setting, dict) or not is_sealed(setting):
        return setting
    sent = {name: value for name, value in setting.items() if name != "isEncrypted"}
    return sent | {"value": open_value(setting["value"])}


# --- facts about a state ----------------------------------------------------------------------------


def type_of(payload: Json) -> str:
    """The Graph type of an object without its prefix; empty where the kind has a single type."""
    return str(payload.get("@odata.type") or "").removeprefix("#microsoft.graph.")


def count_encrypted_values(payload: Any) -> int:
    """The number of values that the backup lacks because Graph returned them only encrypted."""
    if isinstance(payload, dict):
        # The mask of an encrypted value is no second one.
        if is_masked(payload) or payload.get("valueState") == ENCRYPTED_STATE:
            return 1
        return sum(count_encrypted_values(value) for value in payload.values())
    if isinstance(payload, list):
        return sum(count_encrypted_values(value) for value in payload)
    return int(payload == MASKED_VALUE)


def is_microsoft_managed(kind: PolicyKind, payload: Mapping[str, Any]) -> bool:
    """Whether Microsoft created the object and maintains it."""
    name = str(payload.get(kind.name_field) or "")
    if any(payload.get(key) == value for key, value in kind.managed_if.items()):
        return True
    return bool(payload.get("isBuiltIn")) or name.startswith("Microsoft-managed")


def is_enforced(state: Json) -> bool:
    """Whether it is a conditional access policy that is enforced."""
    return state.get("state") == ENABLED and "conditions" in state


def has_exclusions(state: Json) -> bool:
    """Whether a conditional access policy excludes a user, group or role that can still sign in."""
    users = _nested(state, "conditions", "users")
    return any(users.get(name) for name in ("excludeUsers", "excludeGroups", "excludeRoles"))


def count_sealed_values(payload: Mapping[str, Any]) -> int:
    """The number of encrypted values that the backup has."""
    settings = payload.get("omaSettings")
    entries = settings if isinstance(settings, list) else []
    return sum(1 for entry in entries if isinstance(entry, dict) and is_sealed(entry))


# --- references -------------------------------------------------------------------------------------


def references(kind: PolicyKind, state: Json) -> dict[str, set[str]]:
    """The objects that a state refers to and a tenant may lack: ids by kind, none empty."""
    return refs.ids_by_kind(kind.all_references, state)


def sent_references(kind: PolicyKind, state: Json, current: Json | None) -> dict[str, set[str]]:
    """The references, as `references` returns them, in the part of a state that a write sends.

    That is all of a new object, and otherwise the properties that differ. A reference that the
    write does not send may be missing: the current object has it as well.
    """
    if current is None:
        return references(kind, state)
    return references(
        kind,
        {
            name: value
            for name, value in state.items()
            if not is_same_json(value, current.get(name))
            or (kind.is_replaced and name != "assignments")
        },
    )


def replace_ids(kind: PolicyKind, state: Json, new_ids: Mapping[str, Mapping[str, str]]) -> Json:
    """A state with the current ids of objects, by kind, in place of those in the backup.

    Lists without an order are sorted again: they are compared in the order of the current ids.
    """
    replaced = refs.replace_ids(kind.all_references, state, new_ids)
    if is_same_json(replaced, state):
        return state
    links = {each.name for each in kind.links(state)} & replaced.keys()
    return kind.content(replaced) | {name: sorted(replaced[name]) for name in links}


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
