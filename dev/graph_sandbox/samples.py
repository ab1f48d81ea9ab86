"""Reads the objects of a tenant from exported policies, as other tools write them.

A file is JSON or YAML, in UTF-8 or UTF-16, with one object, a list, or a response of Graph. Its kind
follows from its `@odata.context`, or from the folders that contain it.
"""

from __future__ import annotations

import codecs
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dev.graph_sandbox.flattened import kind_of, unflatten
from dev.graph_sandbox.messages import Json
from dev.graph_sandbox.resources import collection_of
from providers.graph.kinds import KIND
from providers.graph.permissions import without_version
from providers.graph.policy_kind import PolicyKind

Objects = dict[str, list[Json]]
#: Keys under which an export has several objects in one file.
LISTS = ("value", "filters", "groups")
SUFFIXES = frozenset({".json", ".yaml", ".yml"})
#: Microsoft365DSC writes the name of a resource and of properties with a capital.
_RESOURCE, _INSTANCE = "ResourceName", "ResourceInstanceName"
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Sample:
    """What a file became: its objects by kind, or the reason why it was skipped.

    `unflattened` is how many properties were put where Graph has them, `others` how many resources
    are of other kinds.
    """

    path: Path
    objects: Objects = field(default_factory=dict)
    reason: str = ""
    unflattened: int = 0
    others: int = 0

    def __str__(self) -> str:
        counts = [f"{len(entries)} {kind}" for kind, entries in self.objects.items()]
        if counts and self.unflattened:
            counts.append(f"{self.unflattened} flattened properties put in their places")
        if counts and self.others:
            counts.append(f"{self.others} of other kinds skipped")
        return f"{self.path}: {', '.join(counts) or f'skipped, {self.reason}'}"


class _Skipped(Exception):
    """A file has no objects that the sandbox can serve; the text says why."""


def read_samples(folder: Path) -> list[Sample]:
    """Return what each file in a folder and the folders within it became."""
    return [_read(folder, path) for path in sorted(folder.rglob("*")) if path.is_file()]


def sample_tenant(samples: list[Sample]) -> Objects:
    """Return the objects of every file by kind."""
    objects: Objects = {}
    for sample in samples:
        for kind, entries in sample.objects.items():
            objects.setdefault(kind, []).extend(entries)
    return objects


def _read(folder: Path, path: Path) -> Sample:
    name = path.relative_to(folder)
    objects: Objects = {}
    unflattened = others = 0
    try:
        for number, exported in enumerate(_entries(_parse(path))):
            kind, entry = _kind_of(exported, name), exported
            if not kind:
                others += 1
                continue
            if _RESOURCE in exported:
                entry, count = unflatten(kind, _with_graph_names(exported))
                unflattened += count
            objects.setdefault(kind, []).append(_complete(kind, entry, f"{name}/{number}"))
    except _Skipped as skipped:
        return Sample(name, reason=str(skipped))
    reason = "unknown kinds of objects" if others else "it has no object"
    return Sample(name, objects, reason, unflattened, others)


def _parse(path: Path) -> Any:
    """Return the content of a file.

    Raises:
        _Skipped: it is not JSON or YAML.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise _Skipped("neither JSON nor YAML")
    data = path.read_bytes()
    encoding = next((_MARKS[mark] for mark in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        raise _Skipped("its content cannot be read") from None


def _entries(content: Any) -> Iterator[Json]:
    """Yield the objects of a file, each with the `@odata.context` of the response around it."""
    exported: Any = [content]
    context: Json = {}
    if isinstance(content, list):
        exported = content
    elif isinstance(content, dict) and (key := next(filter(content.__contains__, LISTS), "")):
        exported = content[key]
        context = {name: content[name] for name in ("@odata.context",) if name in content}
    if not isinstance(exported, list):
        exported = [exported]
    for entry in exported:
        if not isinstance(entry, dict):
            raise _Skipped("its content is not an object")
        yield context | entry


# --- kinds ----------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    """A name without case, spaces and plural: “Named Locations” is “namedlocation”."""
    return re.sub(r"[^a-z0-9]", "", name.lower()).removesuffix("s")


def _names_of(kind: PolicyKind) -> Iterator[str]:
    """The names under which a kind is exported, besides the end of its path."""
    yield from (kind.key, kind.label, kind.label_plural, *kind.exported_as)


_SEGMENTS = {kind.list_path.rpartition("/")[2]: key for key, kind in KIND.items()}
#: A single word such as “policies” at the end of a path can be any kind.
_BY_NAME = {_plain(name): key for name, key in _SEGMENTS.items() if not name.islower()} | {
    _plain(name): key for key, kind in KIND.items() for name in _names_of(kind)
}
_BY_PATH = {
    without_version(path).strip("/"): key
    for key, kind in KIND.items()
    for path in (kind.list_path, *kind.collections.values())
}


def _kind_of(entry: Json, path: Path) -> str:
    """Return the kind of an object; empty for a resource of Microsoft365DSC of another kind.

    Linux compliance policies are exported with the other compliance policies, but Graph has a
    separate collection for them.

    Raises:
        _Skipped: it is unknown.
    """
    if _RESOURCE in entry:
        return kind_of(str(entry[_RESOURCE]))
    context = str(entry.get("@odata.context") or "").partition("#")[2]
    collection = re.sub(r"\([^()]*\)", "", context).removesuffix("/$entity").strip("/")
    folders = [_plain(name) for name in reversed(path.parts[:-1])]
    names = (_BY_NAME[name] for name in folders if name in _BY_NAME)
    kind = _BY_PATH.get(collection) or next(names, "")
    if not kind:
        raise _Skipped("unknown kind of object")
    return "linux_compliance" if kind == "compliance" and "settings" in entry else kind


def _complete(kind: str, exported: Json, origin: str) -> Json:
    """Return an exported object as Graph has it.

    One without an id gets one that is the same each time.
    """
    default_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}/{origin}")
    hidden: Json = {name: [] for name in collection_of(kind).hidden}
    return {**hidden, "id": str(default_id), **exported}


def _with_graph_names(resource: Json) -> Json:
    """The properties of a resource of Microsoft365DSC with the names that Graph gives them."""
    own = {
        *(_RESOURCE, _INSTANCE, "Ensure", "Credential", "ApplicationId", "TenantId"),
        *("ApplicationSecret", "CertificateThumbprint", "ManagedIdentity", "AccessTokens"),
    }
    renamed: Mapping[str, Any] = {
        f"{name[:1].lower()}{name[1:]}": value
        for name, value in resource.items()
        if name not in own
    }
    return dict(renamed)
