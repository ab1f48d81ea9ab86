"""Reads one policy completely and reports the parts that are missing.

Graph returns some properties of a policy only on request, in pages, and sometimes not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.graph.client import GraphClient
from providers.graph.errors import ObjectNotFound
from providers.graph.policy_kind import Capture, Json, PolicyKind, build_capture

SETTINGS_PAGE = "1000"


def with_detail(kind: PolicyKind, client: GraphClient, listed: Json) -> Capture:
    """Read the object with `detail_params` and its assignments."""
    policy = client.get(kind.object_path(listed), kind.detail_params)
    missing = _add_assignments(kind, client, policy, listed)
    if kind.has_scheduled_actions:
        missing += _missing_actions(policy)
    return build_capture(policy, listed, missing)


def with_settings(kind: PolicyKind, client: GraphClient, listed: Json) -> Capture:
    """Read the object, every page of its settings, and its assignments.

    The policy can change between two requests. If the number of settings does not match, it is read
    a second time.
    """
    path = kind.object_path(listed)
    for _ in range(2):
        policy = client.get(path, kind.detail_params)
        policy["settings"] = list(client.list(f"{path}/settings", {"$top": SETTINGS_PAGE}))
        missing = _missing_settings(policy)
        if not missing:
            break
    missing += _add_assignments(kind, client, policy, listed)
    return build_capture(policy, listed, missing)


def _add_assignments(
    kind: PolicyKind, client: GraphClient, policy: Json, listed: Json
) -> list[str]:
    """Read the assignments unless they are complete. Return what is missing."""
    has_list = isinstance(policy.get("assignments"), list)
    if has_list and "assignments@odata.nextLink" not in policy:
        return []
    try:
        policy["assignments"] = list(client.list(f"{kind.object_path(listed)}/assignments"))
    except ObjectNotFound:
        policy.pop("assignments", None)
        return ["assignments"]
    return []


def _missing_settings(policy: Mapping[str, Any]) -> list[str]:
    expected, actual = policy.get("settingCount"), len(policy["settings"])
    if not isinstance(expected, int):
        return ["the number of settings"]
    if expected != actual:
        return [f"settings ({actual} of {expected})"]
    return []


def _missing_actions(policy: Mapping[str, Any]) -> list[str]:
    rules = policy.get("scheduledActionsForRule")
    if not isinstance(rules, list) or not rules:
        return ["actions for noncompliance"]
    if not all(isinstance(rule.get("scheduledActionConfigurations"), list) for rule in rules):
        return ["configurations of the actions for noncompliance"]
    return []
