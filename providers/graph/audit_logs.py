"""The audit logs of a tenant: who changed an object, according to Intune or to Entra ID.

Both are read for a window of time, newest events first, and at most `MAX_EVENTS` of them.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from providers.graph.client import GraphClient
from providers.graph.kinds import KIND
from providers.graph.policy_kind import parse_time

Json = dict[str, Any]
MAX_EVENTS = 2000
#: The clocks of the services and of the database differ.
MARGIN = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class Event:
    """A successful change of one object."""

    object_id: str
    at: dt.datetime
    author: str


@dataclass(frozen=True)
class AuditLog:
    """One audit log: its path, the permissions that reading it takes, and how an event is read."""

    path: str
    permissions: tuple[str, ...]
    parse: Callable[[Json], tuple[str, list[Any]]]
    condition: str = ""

    @property
    def permissions_text(self) -> str:
        return " and ".join(self.permissions)

    def is_permitted(self, client: GraphClient) -> bool:
        """Return whether the token does not lack a permission; a token may name none at all.

        Raises:
            GraphError, Blocked: there is no token.
        """
        return all(client.has_permission(name) is not False for name in self.permissions)

    def events(self, client: GraphClient, since: dt.datetime, until: dt.datetime) -> list[Event]:
        """Return the changes in a window of time, as far as the log was read.

        Raises:
            GraphError: the log could not be read.
        """
        window = (
            f"activityDateTime ge {_text(since - MARGIN)} and "
            f"activityDateTime le {_text(until + MARGIN)}{self.condition}"
        )
        entries = client.list(self.path, {"$filter": window})
        return [
            event
            for entry in itertools.islice(entries, MAX_EVENTS)
            for event in self._events_of(entry)
        ]

    def _events_of(self, entry: Json) -> Iterator[Event]:
        at = parse_time(entry.get("activityDateTime"))
        result = entry.get("activityResult") or entry.get("result") or "success"
        author, object_ids = self.parse(entry)
        if at is None or not author or str(result).lower() != "success":
            return
        for object_id in object_ids:
            if isinstance(object_id, str):
                yield Event(object_id, at, author)


def _text(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _parse_intune(entry: Json) -> tuple[str, list[Any]]:
    names = ("userPrincipalName", "applicationDisplayName", "servicePrincipalName", "userId")
    resources = _objects(entry.get("resources"))
    return _first(entry.get("actor"), names), [each.get("resourceId") for each in resources]


def _parse_directory(entry: Json) -> tuple[str, list[Any]]:
    initiator = entry.get("initiatedBy")
    user, app = (_object(initiator).get(key) for key in ("user", "app"))
    author = _first(user, ("userPrincipalName", "displayName", "id"))
    author = author or _first(app, ("displayName", "servicePrincipalName", "servicePrincipalId"))
    return author, [each.get("id") for each in _objects(entry.get("targetResources"))]


def _first(actor: object, names: tuple[str, ...]) -> str:
    values = (_object(actor).get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


INTUNE = AuditLog(
    path="/v1.0/deviceManagement/auditEvents",
    permissions=("DeviceManagementApps.Read.All",),
    parse=_parse_intune,
)
DIRECTORY = AuditLog(
    path="/v1.0/auditLogs/directoryAudits",
    permissions=("AuditLog.Read.All", "Directory.Read.All"),
    parse=_parse_directory,
    condition=" and loggedByService eq 'Conditional Access'",
)


def audit_log_of(kind: str) -> AuditLog:
    """Return the audit log that records the changes of a kind."""
    known = KIND.get(kind)
    return DIRECTORY if known and not known.is_in_intune else INTUNE
