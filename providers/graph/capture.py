"""Reading one policy completely, and noticing when it was not.

Graph returns parts of a policy only when asked for them, in pages, and sometimes not at all. A
capture says what is missing instead of passing off half a policy as a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from providers.graph.errors import Gone
from providers.graph.normalize import clean

if TYPE_CHECKING:
    from providers.graph.client import GraphClient
    from providers.graph.kinds import PolicyKind

Json = dict[str, Any]

SETTINGS_PAGE = "1000"


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


def as_listed(kind: PolicyKind, client: GraphClient, listed: Json) -> Captured:
    """The list already has all there is."""
    return _captured(kind, listed, listed, [])


def with_detail(kind: PolicyKind, client: GraphClient, listed: Json) -> Captured:
    """The object itself with `detail_params`, and its assignments."""
    found = client.get(kind.object_path(listed), kind.detail_params)
    missing = _add_assignments(kind, client, found, listed)
    if kind.has_scheduled_actions:
        missing += _missing_actions(found)
    return _captured(kind, found, listed, missing)


def with_settings(kind: PolicyKind, client: GraphClient, listed: Json) -> Captured:
    """The object, every page of its settings, and its assignments.

    Somebody may change the policy between two reads, so a count that does not hold is read once
    more before it is believed.
    """
    for _ in range(2):
        found = client.get(kind.object_path(listed), kind.detail_params)
        found["settings"] = list(
            client.list(f"{kind.object_path(listed)}/settings", {"$top": SETTINGS_PAGE})
        )
        missing = _missing_settings(found)
        if not missing:
            break
    missing += _add_assignments(kind, client, found, listed)
    return _captured(kind, found, listed, missing)


def object_path(collection: str, object_id: str) -> str:
    """The path of one object; the id is data and cannot lead elsewhere."""
    return f"{collection}/{quote(object_id, safe='')}"


def _captured(kind: PolicyKind, found: Json, listed: Json, missing: list[str]) -> Captured:
    payload = clean(found)
    # Some reads of one object leave out the type that the list had.
    if "@odata.type" not in payload and "@odata.type" in listed:
        payload["@odata.type"] = listed["@odata.type"]
    if payload.get("id") != listed.get("id"):
        missing = [*missing, "the object asked for (another one was returned)"]
    return Captured(payload, missing, _notes(payload))


def _add_assignments(kind: PolicyKind, client: GraphClient, found: Json, listed: Json) -> list[str]:
    """Make sure that the assignments are all there; gives what is missing."""
    if isinstance(found.get("assignments"), list) and "assignments@odata.nextLink" not in found:
        return []
    try:
        found["assignments"] = list(client.list(f"{kind.object_path(listed)}/assignments"))
    except Gone:
        found.pop("assignments", None)
        return ["assignments"]
    return []


def _missing_settings(found: Mapping[str, Any]) -> list[str]:
    expected, read = found.get("settingCount"), len(found["settings"])
    if not isinstance(expected, int):
        return ["the number of settings"]
    return [] if expected == read else [f"settings ({read} of {expected})"]


def _missing_actions(found: Mapping[str, Any]) -> list[str]:
    rules = found.get("scheduledActionsForRule")
    if not isinstance(rules, list) or not rules:
        return ["actions for noncompliance"]
    if not all(isinstance(rule.get("scheduledActionConfigurations"), list) for rule in rules):
        return ["configurations of the actions for noncompliance"]
    return []


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
