"""Reading one policy completely, and noticing when it was not.

Graph returns parts of a policy only when asked for them, in pages, and sometimes not at all. A
capture says what is missing instead of passing off half a policy as a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.graph.client import GraphClient
from providers.graph.errors import Gone
from providers.graph.policy_kind import Captured, Json, PolicyKind, captured

SETTINGS_PAGE = "1000"


def with_detail(kind: PolicyKind, client: GraphClient, listed: Json) -> Captured:
    """The object itself with `detail_params`, and its assignments."""
    found = client.get(kind.object_path(listed), kind.detail_params)
    missing = _add_assignments(kind, client, found, listed)
    if kind.has_scheduled_actions:
        missing += _missing_actions(found)
    return captured(kind, found, listed, missing)


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
    return captured(kind, found, listed, missing)


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
