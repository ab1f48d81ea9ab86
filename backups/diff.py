"""What is different between two contents of a policy: pure, and readable.

What Graph sets by itself is left out first (`providers.graph.normalize`). Entries of a list are
matched by what identifies them, not by where they stand: a setting by its definition id, an
assignment by its target, a plain value by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind
from redaction.text import WINDOW, sanitize_text

MAX_DEPTH = 40
#: Texts that are longer are shown from a little before the place where they begin to differ.
MAX_TEXT, MARGIN, EXCERPT = 1500, 80, 800
Json = dict[str, Any]


class Difference(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    #: Different in what is masked or too long to be shown.
    HIDDEN = "hidden"


@dataclass(frozen=True)
class FieldChange:
    """One difference: where it is, as people read it, and both values as text.

    `before` is empty for what was added, `after` for what was removed.
    """

    path: str
    difference: Difference
    before: str = ""
    after: str = ""


def field_changes(kind: PolicyKind, before: Json, after: Json) -> list[FieldChange]:
    """Every difference in what somebody decided, in the order of its path; none for equal ones."""
    return sorted(
        _changes("", kind.content(before), kind.content(after), 0), key=lambda change: change.path
    )


def shown_changes(
    kind: PolicyKind, before: Json, after: Json, redacted: Callable[[Json], Any]
) -> list[FieldChange]:
    """The differences fit to be shown: values as `redacted` leaves them.

    A difference that is not to be seen any more is still told, without its values: two contents
    that differ never look the same.
    """
    safe_before, safe_after = (redacted(side) for side in _excerpts(before, after))
    told = []
    if isinstance(safe_before, dict) and isinstance(safe_after, dict):
        told = field_changes(kind, safe_before, safe_after)
    real = {sanitize_text(change.path) for change in field_changes(kind, before, after)}
    told = [change for change in told if change.path in real]
    hidden = real - {change.path for change in told}
    told += [FieldChange(path, Difference.HIDDEN) for path in hidden]
    return sorted(told, key=lambda change: change.path)


def _excerpts(before: Any, after: Any) -> tuple[Any, Any]:
    """Both values, with long texts that differ cut to the place where they begin to."""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {key: _excerpts(before[key], after[key]) for key in before.keys() & after.keys()}
        return (
            before | {key: pair[0] for key, pair in pairs.items()},
            after | {key: pair[1] for key, pair in pairs.items()},
        )
    if isinstance(before, list) and isinstance(after, list):
        return _excerpts_of_lists(before, after)
    if isinstance(before, str) and isinstance(after, str) and before != after:
        return _around_the_difference(before, after)
    return before, after


def _excerpts_of_lists(before: list[Any], after: list[Any]) -> tuple[list[Any], list[Any]]:
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        named = _excerpts(named_before, named_after)
        return list(named[0].values()), list(named[1].values())
    if len(before) != len(after):
        return before, after
    entries = [_excerpts(*pair) for pair in zip(before, after, strict=True)]
    return [entry[0] for entry in entries], [entry[1] for entry in entries]


def _around_the_difference(before: str, after: str) -> tuple[str, str]:
    """Redacted before it is cut: half a secret is not recognized any more."""
    if max(len(before), len(after)) <= MAX_TEXT:
        return before, after
    before, after = (sanitize_text(side, WINDOW, keep_newlines=True) for side in (before, after))
    shorter = min(len(before), len(after))
    same = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    begin = max(0, same - MARGIN)

    def excerpt(text: str) -> str:
        cut = text[begin : begin + EXCERPT]
        return f"{'… ' if begin else ''}{cut}{' …' if len(text) > begin + EXCERPT else ''}"

    return excerpt(before), excerpt(after)


def _changes(path: str, before: Any, after: Any, depth: int) -> Iterator[FieldChange]:
    if _same(before, after):
        return
    if depth < MAX_DEPTH and isinstance(before, dict) and isinstance(after, dict):
        yield from _of_pairs(path, before, after, depth, dot=True)
    elif depth < MAX_DEPTH and isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(path, before, after, depth)
    else:
        yield FieldChange(path, Difference.CHANGED, _text(before), _text(after))


def _of_pairs(
    path: str, before: Json, after: Json, depth: int, *, dot: bool
) -> Iterator[FieldChange]:
    for key in sorted({*before, *after}):
        where = f"{path}.{key}" if dot and path else f"{path}[{key}]" if not dot else key
        if key not in after:
            yield FieldChange(where, Difference.REMOVED, before=_text(before[key]))
        elif key not in before:
            yield FieldChange(where, Difference.ADDED, after=_text(after[key]))
        else:
            yield from _changes(where, before[key], after[key], depth + 1)


def _of_lists(path: str, before: list[Any], after: list[Any], depth: int) -> Iterator[FieldChange]:
    named_before, named_after = _by_name(before), _by_name(after)
    if named_before is not None and named_after is not None:
        yield from _of_pairs(path, named_before, named_after, depth, dot=False)
        return
    left = _without(before, after)
    for entry in _without(after, before):
        yield FieldChange(f"{path}[]", Difference.ADDED, after=_text(entry))
    for entry in left:
        yield FieldChange(f"{path}[]", Difference.REMOVED, before=_text(entry))
    if not left and len(before) == len(after):
        yield FieldChange(path, Difference.CHANGED, _text(before), _text(after))


def _by_name(entries: list[Any]) -> dict[str, Any] | None:
    """The entries by what identifies each; None where one has no name, or two have the same."""
    named = {}
    for entry in entries:
        name = _name_of(entry)
        if name is None or name in named:
            return None
        named[name] = entry
    return named


def _name_of(entry: Any) -> str | None:
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
    """The entries that the others do not have, each as often as it is missing."""
    left = [canonical_json(other) for other in others]
    missing = []
    for entry in entries:
        body = canonical_json(entry)
        if body in left:
            left.remove(body)
        else:
            missing.append(entry)
    return missing


def _same(before: Any, after: Any) -> bool:
    return canonical_json(before) == canonical_json(after)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
