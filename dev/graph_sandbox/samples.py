"""A tenant of the Graph sandbox from a folder of exported policies: one folder for each kind of object."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.resources import collection_of, kinds

Objects = dict[str, list[Json]]
#: Under these names an export keeps several objects in one file.
LISTS = ("value", "filters", "groups")


def kind_of(folder: str) -> str | None:
    """The kind of what is in a folder ("named-locations"); None for what is no kind here."""
    name = folder.lower().replace("-", "_")
    return next((kind for kind in (name, name.removesuffix("s")) if kind in kinds()), None)


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file with the kind of what is in it."""
    for inside in sorted(folder.glob("*/")):
        if kind := kind_of(inside.name):
            yield from ((kind, path) for path in sorted(inside.glob("*.json")))


def left_out(folder: Path) -> list[str]:
    """The folders whose objects are of no kind that the product reads, such as notifications."""
    return [inside.name for inside in sorted(folder.glob("*/")) if not kind_of(inside.name)]


def entries(kind: str, path: Path) -> Iterator[tuple[str, Json]]:
    """The objects of a file with their kind.

    An export that has lost its id gets one that is the same each time.
    """
    content: Any = json.loads(path.read_text(encoding="utf-8-sig"))
    listed = next((content[name] for name in LISTS if name in content), [content])
    for number, exported in enumerate(listed):
        key = _kind_of_object(kind, exported)
        made = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{path.name}/{number}")
        hidden: Json = {part: [] for part in collection_of(key).hidden}
        yield key, {**hidden, "id": str(made), **exported}


def _kind_of_object(kind: str, exported: Json) -> str:
    """Compliance policies of Linux are a collection of their own, with settings."""
    return "linux_compliance" if kind == "compliance" and "settings" in exported else kind


def sample_tenant(folder: Path) -> Objects:
    """The objects of every file by kind."""
    found: Objects = {}
    for kind, path in files(folder):
        for key, entry in entries(kind, path):
            found.setdefault(key, []).append(entry)
    return found
