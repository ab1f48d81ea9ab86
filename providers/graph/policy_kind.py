"""What a kind of policy is: where it is listed, how it is read, which part of it is content."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
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
class Captured:
    """A policy as it was read.

    `payload` has everything that was returned, without annotations; `missing` names in plain
    words what should have been there. `notes` names what is complete but cannot be restored.
    """

    payload: Json
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything was read."""
        return not self.missing


class Capture(Protocol):
    """How the policies of one kind are read."""

    def __call__(self, kind: PolicyKind, client: GraphClient, listed: Json) -> Captured: ...


def object_path(collection: str, object_id: str) -> str:
    """The path of one object; the id is data and cannot lead elsewhere."""
    return f"{collection}/{quote(object_id, safe='')}"


def as_listed(kind: PolicyKind, client: GraphClient, listed: Json) -> Captured:
    """The list already has all there is."""
    return captured(kind, listed, listed, [])


def captured(kind: PolicyKind, found: Json, listed: Json, missing: list[str]) -> Captured:
    payload = clean(found)
    # Some reads of one object leave out the type that the list had.
    if "@odata.type" not in payload and "@odata.type" in listed:
        payload["@odata.type"] = listed["@odata.type"]
    if payload.get("id") != listed.get("id"):
        missing = [*missing, "the object asked for (another one was returned)"]
    return Captured(payload, missing, _notes(payload))


def _notes(payload: Mapping[str, Any]) -> list[str]:
    encrypted = sum(1 for setting in _oma_settings(payload) if setting.get("isEncrypted"))
    return [f"{encrypted} encrypted OMA-URI values"] if encrypted else []


def _oma_settings(payload: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    settings = payload.get("omaSettings")
    return (
        [entry for entry in settings if isinstance(entry, dict)]
        if isinstance(settings, list)
        else []
    )


MAX_ID = 200


class Restore(StrEnum):
    """How far a kind can be restored."""

    FULL = "full"
    PREVIEW_ONLY = "preview_only"
    NEVER = "never"


@dataclass(frozen=True)
class PolicyKind:
    """One kind: where it is, how it is read, what of it is content.

    `collections` gives the collection of each `@odata.type` where a list mixes types and one
    object must be read from its own; types that are not in it are not of this kind.
    """

    key: str
    label: str
    label_plural: str
    list_path: str
    list_params: Mapping[str, str] = field(default_factory=dict)
    detail_params: Mapping[str, str] = field(default_factory=dict)
    name_field: str = "displayName"
    read: Capture = as_listed
    has_scheduled_actions: bool = False
    collections: Mapping[str, str] = field(default_factory=dict)
    noise: Noise = NO_NOISE
    restore: Restore = Restore.NEVER
    depends_on: tuple[str, ...] = ()

    @property
    def permission(self) -> Permission:
        """What reading and writing need."""
        return permission_for(self.list_path)

    @property
    def permission_read(self) -> str:
        """The application permission that reading needs."""
        return self.permission.read

    def name_of(self, payload: Mapping[str, Any]) -> str:
        """What people call the object; its id where it has no name."""
        return str(payload.get(self.name_field) or payload.get("id") or "")

    def object_path(self, listed: Mapping[str, Any]) -> str:
        """The path of one object that was listed."""
        collection = self.collections.get(str(listed.get("@odata.type")), self.list_path)
        return object_path(collection, str(listed["id"]))

    def list_objects(self, client: GraphClient) -> Iterator[dict[str, Any]]:
        """Every object of the kind, page by page, each with a usable `id`.

        Raises:
            GraphError: see `GraphClient.list`.
        """
        for count, listed in enumerate(client.list(self.list_path, self.list_params)):
            if not self.collections or listed.get("@odata.type") in self.collections:
                self._check_id(listed, count)
                yield listed

    def _check_id(self, listed: Mapping[str, Any], count: int) -> None:
        """An object without an id would be lost silently, so the list counts as broken off."""
        graph_id = listed.get("id")
        usable = isinstance(graph_id, str) and 0 < len(graph_id) <= MAX_ID
        if not usable or any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in str(graph_id)):
            raise IncompleteListing(kind=in_sentence(self.label_plural), count=count)

    def capture(self, client: GraphClient, listed: dict[str, Any]) -> Captured:
        """Read everything of one object that was listed.

        Raises:
            Gone: it was removed since.
            GraphError: it could not be read; nothing is known of it.
        """
        return self.read(self, client, listed)

    def capture_one(self, client: GraphClient, graph_id: str, object_type: str = "") -> Captured:
        """Read one object that was not just listed; `object_type` is its type in Graph, if known.

        Raises:
            Gone: it is not there any more.
            GraphError: it could not be read; nothing is known of it.
        """
        listed: dict[str, Any] = {"id": graph_id}
        if object_type:
            listed["@odata.type"] = f"#microsoft.graph.{object_type}"
        if self.read is as_listed:
            listed = client.get(self.object_path(listed))
        return self.capture(client, listed)

    def content(self, payload: dict[str, Any]) -> dict[str, Any]:
        """What of a captured object somebody decided: comparable, without ids and times."""
        return normalize.content(payload, self.noise)

    def content_hash(self, payload: dict[str, Any]) -> str:
        """Equal for two captures of an unchanged object."""
        return normalize.content_hash(payload, self.noise)


def in_sentence(label: str) -> str:
    """A label within a sentence: “settings catalog policies”."""
    return f"{label[:1].lower()}{label[1:]}"


def last_modified(entry: Mapping[str, Any]) -> dt.datetime | None:
    """Graph's time of the last change, where it gives a usable one."""
    text = entry.get("lastModifiedDateTime") or entry.get("modifiedDateTime")
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    # Years at the ends overflow when they are converted to another zone.
    return at if at and at.tzinfo and 1 < at.year < 9999 else None
