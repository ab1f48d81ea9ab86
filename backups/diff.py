"""The differences between two contents of a policy, for people to read. Pure.

Values that Graph sets are removed first (`providers.graph.normalize`). List entries are matched by
their identity, not by their position: a setting by its definition id, an assignment by its target,
a plain value by the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind
from redaction import exact_json
from redaction.marks import without_counts
from redaction.text import WINDOW, sanitize_text

MAX_DEPTH = 40
#: Longer texts are shown from `MARGIN` characters before their first difference.
MAX_TEXT, MARGIN, EXCERPT = 1500, 80, 800
Json = dict[str, Any]


class Difference(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    #: The difference is in text that is masked or too long to be shown.
    HIDDEN = "hidden"


@dataclass(frozen=True)
class FieldChange:
    """One difference: its path in readable form, and both values as text.

    `before` is empty for an added value, `after` for a removed one.
    """

    path: str
    difference: Difference
    before: str = ""
    after: str = ""


def field_changes(kind: PolicyKind, before: Json, after: Json) -> list[FieldChange]:
    """Return the differences in the values that an operator can set, sorted by path."""
    changes = _changes("", kind.content(before), kind.content(after), 0)
    return sorted(changes, key=lambda change: change.path)


def shown_changes(
    kind: PolicyKind, before: Json, after: Json, redact: Callable[[Json], Any]
) -> list[FieldChange]:
    """Return the differences for display, with values redacted by `redact`.

    A difference that redaction removes is still listed, without its values: contents that differ
    never look the same.
    """
    safe_before, safe_after = (redact(content) for content in _excerpts(before, after))
    visible = []
    if isinstance(safe_before, dict) and isinstance(safe_after, dict):
        visible = field_changes(kind, safe_before, safe_after)
    real_paths = {sanitize_text(change.path) for change in field_changes(kind, before, after)}
    visible = [
        change
        for change in visible
        if change.path in real_paths
        and without_counts(change.before) != without_counts(change.after)
    ]
    hidden_paths = real_paths - {change.path for change in visible}
    hidden = [FieldChange(path, Difference.HIDDEN) for path in hidden_paths]
    return sorted([*visible, *hidden], key=lambda change: change.path)


def _excerpts(before: Any, after: Any) -> tuple[Any, Any]:
    """Both values, with long texts that differ cut to the part around their first difference."""
    if isinstance(before, dict) and isinstance(after, dict):
        before, after = before.copy(), after.copy()
        for key in before.keys() & after.keys():
            before[key], after[key] = _excerpts(before[key], after[key])
        return before, after
    if isinstance(before, list) and isinstance(after, list):
        return _excerpts_of_lists(before, after)
    if isinstance(before, str) and isinstance(after, str) and before != after:
        return _around_first_difference(before, after)
    return before, after


def _excerpts_of_lists(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]]:
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        named_before, named_after = _excerpts(named_before, named_after)
        return list(named_before.values()), list(named_after.values())
    if len(before) != len(after):
        return before, after
    entries = [_excerpts(*pair) for pair in zip(before, after, strict=True)]
    return [entry[0] for entry in entries], [entry[1] for entry in entries]


def _around_first_difference(before: str, after: str) -> tuple[str, str]:
    """Cut long texts to the part around their first difference.

    They are redacted before they are cut, because a part of a secret is not recognized.
    """
    if max(len(before), len(after)) <= MAX_TEXT:
        return before, after
    before = sanitize_text(before, WINDOW, keep_newlines=True)
    after = sanitize_text(after, WINDOW, keep_newlines=True)
    shorter = min(len(before), len(after))
    first = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    start = max(0, first - MARGIN)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    excerpt = text[start : start + EXCERPT]
    if start:
        excerpt = f"… {excerpt}"
    if len(text) > start + EXCERPT:
        excerpt = f"{excerpt} …"
    return excerpt


def _changes(path: str, before: Any, after: Any, depth: int) -> Iterator[FieldChange]:
    if canonical_json(before) == canonical_json(after):
        return
    if depth < MAX_DEPTH and isinstance(before, dict) and isinstance(after, dict):
        yield from _changes_of_pairs(path, before, after, depth, is_list=False)
    elif depth < MAX_DEPTH and isinstance(before, list) and isinstance(after, list):
        yield from _changes_of_lists(path, before, after, depth)
    else:
        yield FieldChange(path, Difference.CHANGED, _text(before), _text(after))


def _changes_of_pairs(
    path: str, before: Json, after: Json, depth: int, *, is_list: bool
) -> Iterator[FieldChange]:
    for key in sorted({*before, *after}):
        entry_path = f"{path}[{key}]"
        if not is_list:
            entry_path = f"{path}.{key}" if path else key
        if key not in after:
            yield FieldChange(entry_path, Difference.REMOVED, before=_text(before[key]))
        elif key not in before:
            yield FieldChange(entry_path, Difference.ADDED, after=_text(after[key]))
        else:
            yield from _changes(entry_path, before[key], after[key], depth + 1)


def _changes_of_lists(
    path: str, before: list[Any], after: list[Any], depth: int
) -> Iterator[FieldChange]:
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        yield from _changes_of_pairs(path, named_before, named_after, depth, is_list=True)
        return
    removed = _without(before, after)
    for entry in _without(after, before):
        yield FieldChange(f"{path}[]", Difference.ADDED, after=_text(entry))
    for entry in removed:
        yield FieldChange(f"{path}[]", Difference.REMOVED, before=_text(entry))
    if not removed and len(before) == len(after):
        yield FieldChange(path, Difference.CHANGED, _text(before), _text(after))


def _by_name(entries: list[Any]) -> dict[str, Any] | None:
    """The entries by name; None if one has no name or two have the same name."""
    named = {}
    for entry in entries:
        name = _name_of(entry)
        if name is None or name in named:
            return None
        named[name] = entry
    return named


def _name_of(entry: Any) -> str | None:
    """What identifies an entry of a list; None if nothing does."""
    if not isinstance(entry, dict):
        return None
    instance = entry.get("settingInstance", entry)
    target = entry.get("target")
    if isinstance(instance, dict) and isinstance(instance.get("settingDefinitionId"), str):
        return str(instance["settingDefinitionId"])
    if isinstance(target, dict):
        kind = str(target.get("@odata.type", "")).removeprefix("#microsoft.graph.")
        return f"{kind} {target.get('groupId', '')}".strip()
    for key in ("omaUri", "ruleName", "actionType", "displayName", "name"):
        if isinstance(entry.get(key), str):
            return str(entry[key])
    return None


def _without(entries: list[Any], others: list[Any]) -> list[Any]:
    """The entries that are not in `others`; a repeated entry counts each time."""
    unmatched = [canonical_json(other) for other in others]
    missing = []
    for entry in entries:
        body = canonical_json(entry)
        if body in unmatched:
            unmatched.remove(body)
        else:
            missing.append(entry)
    return missing


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return exact_json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
