"""The content of a policy as tables for people: what is set to which value, and who gets it. Pure.

Settings of the settings catalog have the names of their definitions where the content has these;
otherwise the words of their ids. Ids have the names that the caller knows beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.graph.policy_kind import PolicyKind

Json = dict[str, Any]
Names = Mapping[str, str]
#: The content itself is on the same page.
MAX_ROWS, MAX_TEXT, MAX_DEPTH = 1000, 300, 12
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PREFIX = re.compile(r"^(device|user)_vendor_msft_(policy_config_)?")
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TARGETS = {
    "allDevicesAssignmentTarget": "All devices",
    "allLicensedUsersAssignmentTarget": "All users",
}
SCOPE_TAGS = "roleScopeTagIds"


@dataclass(frozen=True)
class Value:
    """A value as text; `id` is what the text is the name of."""

    text: str
    id: str = ""


@dataclass(frozen=True)
class Row:
    """One setting; `key` is its id or its path in the content, `depth` how far it is indented."""

    label: str
    key: str
    values: list[Value] = field(default_factory=list)
    depth: int = 0


def settings_of(kind: PolicyKind, payload: Json, names: Names) -> list[Row]:
    """Return what an administrator has set, without empty values and assignments."""
    content = kind.content(payload)
    # The id of a scope tag is a number, as are other values.
    names_of_guids = {each: name for each, name in names.items() if _GUID.fullmatch(each)}
    rows: list[Row] = []
    for key, value in content.items():
        if key == "settings" and _are_of_the_catalog(value):
            rows += _catalog_rows(value, _definitions(payload))
        elif key == SCOPE_TAGS and isinstance(value, list):
            tags = [_value(entry, {str(entry): names.get(str(entry), "")}) for entry in value]
            rows.append(Row("Scope tags", key, tags))
        elif key not in ("assignments", "@odata.type"):
            rows += _rows(_words(key), key, value, names_of_guids, 0)
    return rows[:MAX_ROWS]


def assignments_of(payload: Json, names: Names) -> list[Row]:
    """Return who gets the policy: groups, all devices or all users, each with its filter."""
    targets = [entry.get("target") for entry in _objects(payload.get("assignments"))]
    return [_assignment(target, names) for target in targets if isinstance(target, dict)][:MAX_ROWS]


def ids_in(value: Any) -> set[str]:
    """Return the ids in a content that can have a name: every GUID, and the scope tags."""
    ids: set[str] = set()
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            tags = entry.get(SCOPE_TAGS)
            ids |= (
                {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
            )
            pending += entry.values()
        elif isinstance(entry, list):
            pending += entry
        elif isinstance(entry, str) and len(entry) < MAX_TEXT:
            ids |= set(_GUID.findall(entry))
    return ids


def names_in(text: str, names: Names) -> list[Value]:
    """Return the names of the ids in a text, each once."""
    ids = dict.fromkeys(_GUID.findall(text))
    return [Value(names[each], each) for each in ids if each in names]


def _assignment(target: Json, names: Names) -> Row:
    kind = str(target.get("@odata.type", "")).removeprefix("#microsoft.graph.")
    label = "Exclude" if kind.startswith("exclusion") else "Include"
    values = [Value(_TARGETS[kind])] if kind in _TARGETS else []
    if group := target.get("groupId"):
        values.append(_value(group, names))
    if filter_id := target.get("deviceAndAppManagementAssignmentFilterId"):
        how = target.get("deviceAndAppManagementAssignmentFilterType")
        name = names.get(str(filter_id), "Unknown filter")
        values.append(Value(f"Filter ({how}): {name}", str(filter_id)))
    return Row(label, kind, values or [Value(kind or "Unknown target")])


# --- settings catalog ---------------------------------------------------------------------------


def _definitions(payload: Json) -> dict[str, Json]:
    """The definitions by their ids, which are not part of what an administrator has set."""
    return {
        str(definition.get("id")): definition
        for setting in _objects(payload.get("settings"))
        for definition in _objects(setting.get("settingDefinitions"))
    }


def _are_of_the_catalog(settings: Any) -> bool:
    """Whether these are settings of the settings catalog, and not those of another kind."""
    return any(
        not {"settingInstance", "settingDefinitionId"}.isdisjoint(each)
        for each in _objects(settings)
    )


def _catalog_rows(settings: list[Any], definitions: Mapping[str, Json]) -> Iterator[Row]:
    for setting in _objects(settings):
        yield from _instance_rows(setting.get("settingInstance", setting), definitions, 0)


def _instance_rows(instance: Any, definitions: Mapping[str, Json], depth: int) -> Iterator[Row]:
    """The row of a setting, and those of the settings within it."""
    if not isinstance(instance, dict) or depth > MAX_DEPTH:
        return
    key = str(instance.get("settingDefinitionId", ""))
    definition = definitions.get(key, {})
    label = str(definition.get("displayName") or _definition_words(key))
    options = {
        str(option.get("itemId")): option.get("displayName")
        for option in _objects(definition.get("options"))
    }
    texts: list[Value] = []
    within: list[Json] = []
    for name, value in instance.items():
        if not name.endswith("Value"):
            continue
        for entry in _objects(value if isinstance(value, list) else [value]):
            within += _objects(entry.get("children"))
            if "value" in entry:
                texts.append(_option(key, entry["value"], options))
    yield Row(label, key, texts, depth)
    for child in within:
        yield from _instance_rows(child, definitions, depth + 1)


def _option(key: str, value: Any, options: Mapping[str, Any]) -> Value:
    if isinstance(value, str) and (name := options.get(value)):
        return Value(str(name))
    if isinstance(value, str) and key and value.startswith(f"{key}_"):
        return Value(value[len(key) + 1 :].replace("_", " "))
    return _value(value, {})


def _objects(value: Any) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _definition_words(key: str) -> str:
    area, _, rest = _PREFIX.sub("", key).partition("_")
    words = f"{area[:1].upper()}{area[1:]}"
    return f"{words} / {rest.replace('_', ' ')}" if rest else words


# --- other contents -----------------------------------------------------------------------------


def _rows(label: str, key: str, value: Any, names: Names, depth: int) -> Iterator[Row]:
    """The rows of a value: one for each plain value or list of plain values within it."""
    if value in (None, "", [], {}) or depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for name in sorted(set(value) - {"@odata.type"}):
            yield from _rows(
                f"{label} / {_words(name)}", f"{key}.{name}", value[name], names, depth + 1
            )
    elif isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        for number, entry in enumerate(value, 1):
            yield from _rows(f"{label} {number}", f"{key}[{number}]", entry, names, depth + 1)
    else:
        entries = value if isinstance(value, list) else [value]
        yield Row(label, key, [_value(entry, names) for entry in entries])


def _value(value: Any, names: Names) -> Value:
    if isinstance(value, bool):
        return Value("Yes" if value else "No")
    text = str(value)
    if name := names.get(text):
        return Value(name, text)
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]} …"
    return Value(text)


def _words(key: str) -> str:
    words = _WORD.sub(" ", key)
    return f"{words[:1].upper()}{words[1:].lower()}"
