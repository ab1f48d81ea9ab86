"""What Microsoft's metadata says about the types of Graph: see `data/types.json`.

`python -m dev.graph_metadata` writes the table from a published package, whose name and version it
contains. Graph returns a navigation property only when it is asked for it, and never returns some
values that it accepts, such as keys. Not tested against the live service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = json.loads((Path(__file__).parent / "data" / "types.json").read_text(encoding="utf-8"))
SOURCE: dict[str, str] = _DATA["source"]
_KINDS: dict[str, str] = _DATA["kinds"]
_TYPES: dict[str, Any] = _DATA["types"]
#: Navigation properties that are no part of a configuration: reports about devices and users, content
#: such as mail and files, what Graph computes, and `groupAssignments`, an older form of assignments.
_NO_CONFIGURATION = frozenset(
    {
        *("acceptances", "acceptanceStatuses", "assignedDevices", "assignedLicenses"),
        *("deploymentSummary", "deviceRunStates", "deviceSettingStateSummaries"),
        *("deviceStates", "deviceStateSummary", "deviceStatuses", "deviceStatusOverview"),
        *("deviceStatusSummary", "driverInventories", "groupAssignments"),
        *("managedDeviceCertificateStates", "referencingConfigurationPolicies", "runSummary"),
        *("userRunStates", "userStates", "userStateSummary", "userStatuses"),
        *("userStatusOverview", "userStatusSummary"),
        *("acceptedSenders", "calendar", "calendarView", "conversations", "drive", "drives"),
        *("endpoints", "events", "extensions", "onenote", "photo", "photos", "planner"),
        *("rejectedSenders", "sites", "team", "threads"),
        *("createdOnBehalfOf", "deletedMembers", "memberOf", "membersWithLicenseErrors"),
        *("transitiveMemberOf", "transitiveMembers", "latestUpgradeCatalogPackage"),
        *("onPremisesSyncBehavior",),
        *("inheritsPermissionsFrom",),
    }
)


@dataclass(frozen=True)
class WriteOnly:
    """A value that Graph accepts and does not return.

    `flag` is the property that says whether it is set, if there is one. `is_placeholder`: Graph
    returns another text in its place.
    """

    name: str
    flag: str = ""
    is_placeholder: bool = False


def short_type(odata_type: object) -> str:
    """Return the name of a type without its prefix; empty where there is none."""
    return str(odata_type or "").removeprefix("#microsoft.graph.")


@cache
def navigation(odata_type: str) -> tuple[str, ...]:
    """Return the navigation properties of a type that are configuration, also those it inherits.

    `[]` marks one that leads to several objects.
    """
    names = dict.fromkeys(
        name for facts in _facts(odata_type) for name in facts.get("navigation", ())
    )
    return tuple(sorted(each for each in names if each.removesuffix("[]") not in _NO_CONFIGURATION))


@cache
def write_only(odata_type: str) -> tuple[WriteOnly, ...]:
    """Return the values of a type that Graph does not return, also those it inherits."""
    return tuple(
        WriteOnly(name, **traits)
        for facts in _facts(odata_type)
        for name, traits in facts.get("write_only", {}).items()
    )


def types() -> tuple[str, ...]:
    """Return every type of the table."""
    return tuple(_TYPES)


def type_of(kind_key: str, payload: Mapping[str, Any]) -> str:
    """Return the type of an object: its own, or else that of its kind."""
    own = short_type(payload.get("@odata.type"))
    return own if own in _TYPES else _KINDS.get(kind_key, "")


def types_of(kind_key: str) -> tuple[str, ...]:
    """Return the types that the objects of a kind can have."""
    base = _KINDS.get(kind_key, "")
    return tuple(each for each in _TYPES if base and is_within(each, base))


def is_within(odata_type: str, base: str) -> bool:
    """Return whether a type is another one, or inherits from it."""
    while odata_type in _TYPES and odata_type != base:
        odata_type = _TYPES[odata_type]["base"]
    return odata_type == base


def _facts(odata_type: str) -> Iterator[Mapping[str, Any]]:
    """Yield what the table says about a type and those that it inherits from."""
    while odata_type in _TYPES:
        yield _TYPES[odata_type]
        odata_type = _TYPES[odata_type]["base"]
