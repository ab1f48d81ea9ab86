"""The objects that a policy refers to by their ids, and how these ids are replaced. Pure."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Reference:
    """A place where an object names objects of the kind `kind`.

    `path` leads to an id, or with `[]` at its end to a list of ids: "conditions.users.includeGroups[]".
    `within` is the type of the objects, at any depth, from which the path starts; by default it
    starts from the policy itself. `built_in` are ids that every tenant has and no list contains;
    with `has_names`, so is every value that is no GUID, such as “All” or “Office365”.
    """

    kind: str
    path: str
    within: str = ""
    built_in: frozenset[str] = frozenset()
    has_names: bool = False

    def is_id(self, value: object) -> bool:
        """Whether a value is the id of an object that a tenant may lack.

        Graph returns the zero id, or an empty text, where there is no reference.
        """
        if not isinstance(value, str) or value in self.built_in or not set(value) - set("0-"):
            return False
        return not self.has_names or bool(_GUID.fullmatch(value))


def ids_by_kind(references: Iterable[Reference], state: Json) -> dict[str, set[str]]:
    """Return the objects that a state refers to: ids by kind, none empty."""
    ids: dict[str, set[str]] = {}
    for reference in references:
        for owner, key in _places(reference, state):
            if reference.is_id(owner[key]):
                ids.setdefault(reference.kind, set()).add(owner[key])
    return ids


def replace_ids(
    references: Iterable[Reference], state: Json, new_ids: Mapping[str, Mapping[str, str]]
) -> Json:
    """Return a state that refers to `new_ids`, by kind and by earlier id, in place of these."""
    replaced = copy.deepcopy(state)
    for reference in references:
        for owner, key in _places(reference, replaced):
            if reference.is_id(owner[key]):
                owner[key] = new_ids.get(reference.kind, {}).get(owner[key], owner[key])
    return replaced


def _places(reference: Reference, state: Json) -> Iterator[tuple[Any, Any]]:
    """Yield each place of a reference as its container and its key or position there."""
    starts: Iterable[Any] = [state]
    if reference.within:
        starts = [each for each in _objects(state) if each.get("@odata.type") == reference.within]
    steps = reference.path.replace("[]", ".[]").split(".")
    for start in starts:
        yield from _steps(start, steps)


def _steps(value: Any, steps: list[str]) -> Iterator[tuple[Any, Any]]:
    step, *rest = steps
    if step == "[]":
        keys: Iterable[Any] = range(len(value)) if isinstance(value, list) else ()
    else:
        keys = [step] if isinstance(value, dict) and step in value else ()
    for key in keys:
        if rest:
            yield from _steps(value[key], rest)
        else:
            yield value, key


def _objects(value: Any) -> Iterator[Json]:
    """Yield every JSON object within a value, at any depth."""
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            yield entry
            pending += entry.values()
        elif isinstance(entry, list):
            pending += entry
