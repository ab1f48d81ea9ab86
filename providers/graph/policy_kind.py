"""Describes a kind of policy: its path, how it is read, and which part of it is content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote

from django.utils.dateparse import parse_datetime

from providers.graph import normalize
from providers.graph.client import GraphClient
from providers.graph.errors import IncompleteListing
from providers.graph.normalize import NO_NOISE, Noise, clean
from providers.graph.permissions import Permission, permission_for

Json = dict[str, Any]


@dataclass(frozen=True)
class Capture:
    """The result of reading a policy.

    `payload` is everything that Graph returned, without annotations. `missing` names the parts that
    were not returned. `notes` names parts that are complete but cannot be restored.
    """

    payload: Json
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything was read."""
        return not self.missing


class ReadPolicy(Protocol):
    """A function that reads a policy that was listed."""

    def __call__(self, kind: PolicyKind, client: GraphClient, listed: Json) -> Capture: ...


def object_path(collection: str, object_id: str) -> str:
    """Return the path of one object; the id is escaped."""
    return f"{collection}/{quote(object_id, safe='')}"


def as_listed(kind: PolicyKind, client: GraphClient, listed: Json) -> Capture:
    """Use the object from the list, which is already complete."""
    return build_capture(listed, listed, [])


def build_capture(policy: Json, listed: Json, missing: list[str]) -> Capture:
    """Clean a policy that was read and compare it with its entry in the list."""
    payload = clean(policy)
    # Graph omits the type of some objects that are read individually.
    if "@odata.type" not in payload and "@odata.type" in listed:
        payload["@odata.type"] = listed["@odata.type"]
    if payload.get("id") != listed.get("id"):
        missing = [*missing, "the requested object (another one was returned)"]
    return Capture(payload, missing, _notes(payload))


def _notes(payload: Mapping[str, Any]) -> list[str]:
    settings = payload.get("omaSettings")
    if not isinstance(settings, list):
        return []
    encrypted = sum(1 for entry in settings if isinstance(entry, dict) and entry.get("isEncrypted"))
    if not encrypted:
        return []
    return [f"{encrypted} encrypted OMA-URI values"]


MAX_ID = 200


class Restore(StrEnum):
    """Whether a kind can be restored."""

    FULL = "full"
    PREVIEW_ONLY = "preview_only"
    NEVER = "never"


@dataclass(frozen=True)
class PolicyKind:
    """One kind of object: its path, how it is read, and which part of it is content.

    `collections` maps each `@odata.type` to its collection, for a list that mixes types. Objects of
    other types do not belong to the kind.
    """

    key: str
    label: str
    label_plural: str
    list_path: str
    list_params: Mapping[str, str] = field(default_factory=dict)
    detail_params: Mapping[str, str] = field(default_factory=dict)
    name_field: str = "displayName"
    read: ReadPolicy = as_listed
    has_scheduled_actions: bool = False
    collections: Mapping[str, str] = field(default_factory=dict)
    noise: Noise = NO_NOISE
    restore: Restore = Restore.NEVER
    depends_on: tuple[str, ...] = ()

    @property
    def permission(self) -> Permission:
        """The permissions for reading and writing."""
        return permission_for(self.list_path)

    @property
    def permission_read(self) -> str:
        """The application permission for reading."""
        return self.permission.read

    def name_of(self, payload: Mapping[str, Any]) -> str:
        """Return the name of the object; its id if it has no name."""
        return str(payload.get(self.name_field) or payload.get("id") or "")

    def object_path(self, listed: Mapping[str, Any]) -> str:
        """Return the path of one object that was listed."""
        collection = self.collections.get(str(listed.get("@odata.type")), self.list_path)
        return object_path(collection, str(listed["id"]))

    def list_objects(self, client: GraphClient) -> Iterator[dict[str, Any]]:
        """Yield every object of the kind, page by page, each with a valid `id`.

        Raises:
            IncompleteListing: the list ended early, or an object has no valid id.
            GraphError: see `GraphClient.list`.
        """
        for count, listed in enumerate(client.list(self.list_path, self.list_params)):
            if self.collections and listed.get("@odata.type") not in self.collections:
                continue
            if not is_valid_id(listed.get("id")):
                # Skipping the object would lose it silently.
                raise IncompleteListing(kind=in_sentence(self.label_plural), count=count)
            yield listed

    def capture(self, client: GraphClient, listed: dict[str, Any]) -> Capture:
        """Read one object that was listed.

        Raises:
            ObjectNotFound: the object was removed in the meantime.
            GraphError: the object could not be read.
        """
        return self.read(self, client, listed)

    def capture_one(self, client: GraphClient, graph_id: str, object_type: str = "") -> Capture:
        """Read one object by its id; `object_type` is its type in Graph, if known.

        Raises:
            ObjectNotFound: the object does not exist.
            GraphError: the object could not be read.
        """
        listed: dict[str, Any] = {"id": graph_id}
        if object_type:
            listed["@odata.type"] = f"#microsoft.graph.{object_type}"
        if self.read is as_listed:
            listed = client.get(self.object_path(listed))
        return self.capture(client, listed)

    def content(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the part of a payload that an administrator decided, without ids and times."""
        return normalize.content(payload, self.noise)

    def content_hash(self, payload: dict[str, Any]) -> str:
        """Return the hash of the content; two captures of an unchanged object have the same hash."""
        return normalize.content_hash(payload, self.noise)


def is_valid_id(graph_id: object) -> bool:
    """Return whether this is an id that can be stored and used in a path."""
    if not isinstance(graph_id, str) or not 0 < len(graph_id) <= MAX_ID:
        return False
    return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in graph_id)


def in_sentence(label: str) -> str:
    """Return a label for use within a sentence: “settings catalog policies”."""
    return f"{label[:1].lower()}{label[1:]}"


def last_modified(entry: Mapping[str, Any]) -> dt.datetime | None:
    """Return when Graph says that the object last changed, or None."""
    return parse_time(entry.get("lastModifiedDateTime") or entry.get("modifiedDateTime"))


def parse_time(text: object) -> dt.datetime | None:
    """Return a time of Graph, or None for anything else."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    # The first and last year can overflow when they are converted to another zone.
    if at is None or at.tzinfo is None or not 1 < at.year < 9999:
        return None
    return at
