"""Reads the objects of a tenant from exported policies: one folder for each kind of object."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.resources import collection_of, kinds

Objects = dict[str, list[Json]]
#: Keys under which an export has several objects in one file.
LISTS = ("value", "filters", "groups")


def kind_of(folder: str) -> str | None:
    """Return the kind of the objects in a folder ("named-locations"), or None if unknown."""
    name = folder.lower().replace("-", "_")
    for kind in (name, name.removesuffix("s")):
        if kind in kinds():
            return kind
    return None


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file with the kind of its objects."""
    for subfolder in sorted(folder.glob("*/")):
        if kind := kind_of(subfolder.name):
            yield from ((kind, path) for path in sorted(subfolder.glob("*.json")))


def unknown_folders(folder: Path) -> list[str]:
    """Return the folders with objects of a kind that Runledger does not read."""
    return [path.name for path in sorted(folder.glob("*/")) if not kind_of(path.name)]


def entries(kind: str, path: Path) -> Iterator[tuple[str, Json]]:
    """Yield the objects of a file with their kind.

    An exported object without an id gets one that is the same each time. Linux compliance policies
    are exported with the other compliance policies, but Graph has a separate collection for them.
    """
    content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    exported_objects = next((content[name] for name in LISTS if name in content), [content])
    for number, exported in enumerate(exported_objects):
        is_linux = kind == "compliance" and "settings" in exported
        object_kind = "linux_compliance" if is_linux else kind
        default_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{path.name}/{number}")
        hidden: Json = {name: [] for name in collection_of(object_kind).hidden}
        yield object_kind, {**hidden, "id": str(default_id), **exported}


def sample_tenant(folder: Path) -> Objects:
    """Return the objects of every file by kind."""
    objects: Objects = {}
    for kind, path in files(folder):
        for object_kind, entry in entries(kind, path):
            objects.setdefault(object_kind, []).append(entry)
    return objects
