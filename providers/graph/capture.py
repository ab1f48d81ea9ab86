"""Reads one policy completely and reports the parts that are missing.

Graph returns some properties of a policy only on request, in pages, and sometimes not at all.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from providers.graph.errors import InvalidRequest, ObjectNotFound, PermissionMissing
from providers.graph.normalize import clean, is_masked
from providers.graph.policy_kind import (
    Capture,
    GraphReader,
    Json,
    Link,
    PolicyKind,
    build_capture,
)

SETTINGS_PAGE = "1000"


def with_detail(kind: PolicyKind, client: GraphReader, listed: Json) -> Capture:
    """Read the object with `detail_params` and its assignments."""
    policy = client.get(kind.object_path(listed), kind.detail_params)
    missing: list[str] = []
    if kind.assign or "assignments" in kind.detail_params.get("$expand", ""):
        missing = _add_assignments(kind, client, policy, listed)
    if kind.has_scheduled_actions:
        missing += _missing_actions(policy)
    missing += _add_links(kind, client, policy, listed)
    if client.reads_encrypted_values:
        _add_encrypted_values(kind, client, policy, listed)
    return build_capture(kind, policy, listed, missing)


def _add_encrypted_values(
    kind: PolicyKind, client: GraphReader, policy: Json, listed: Json
) -> None:
    """Replace the masks of OMA-URI settings by references to their values.

    A value that Graph does not give out stays masked. Microsoft documents the function and that it
    requires the permission to write; not tested against the live service.
    """
    for setting in policy.get("omaSettings") or []:
        value_id = setting.get("secretReferenceValueId")
        if client.secrets is None or not value_id or not is_masked(setting):
            continue
        argument = f"secretReferenceValueId='{quote(str(value_id), safe='')}'"
        path = f"{kind.object_path(listed)}/getOmaSettingPlainTextValue({argument})"
        try:
            value = client.get(path).get("value")
        except (PermissionMissing, InvalidRequest, ObjectNotFound):
            continue
        if isinstance(value, str) and value:
            name = str(setting.get("omaUri"))
            setting["value"] = client.secrets.seal(name, _as_sent(setting, value))


def _as_sent(setting: Json, value: str) -> str:
    """A value as a setting is written with it: XML is sent in base64, and returned as a text."""
    if setting.get("@odata.type") != "#microsoft.graph.omaSettingStringXml":
        return value
    if not value.lstrip().startswith("<"):
        return value
    return base64.b64encode(value.encode()).decode()


def with_parts(kind: PolicyKind, client: GraphReader, listed: Json) -> Capture:
    """Read the object as `with_detail` does, and every page of the collections that it consists of."""
    captured = with_detail(kind, client, listed)
    path = kind.object_path(listed)
    parts = {name: list(client.list(f"{path}/{name}", kind.parts[name])) for name in kind.parts}
    return replace(captured, payload={**captured.payload, **clean(parts)})


def with_settings(kind: PolicyKind, client: GraphReader, listed: Json) -> Capture:
    """Read the object with its settings and its assignments.

    If the settings in the object are not as many as it counts, their pages are read. The policy can
    change between two requests: if the number does not match then either, it is read a second time.
    """
    path = kind.object_path(listed)
    params = {**kind.detail_params, "$expand": f"{kind.detail_params['$expand']},settings"}
    for _ in range(2):
        policy = client.get(path, params)
        if "settings@odata.nextLink" in policy or _missing_settings(policy):
            policy["settings"] = list(client.list(f"{path}/settings", {"$top": SETTINGS_PAGE}))
        missing = _missing_settings(policy)
        if not missing:
            break
    missing += _add_assignments(kind, client, policy, listed)
    return build_capture(kind, policy, listed, missing)


def _add_assignments(
    kind: PolicyKind, client: GraphReader, policy: Json, listed: Json
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


def _add_links(kind: PolicyKind, client: GraphReader, policy: Json, listed: Json) -> list[str]:
    """Read the ids of what the object links to. Return the properties that could not be read."""
    missing = []
    typed = {"@odata.type": listed.get("@odata.type"), **policy}
    for link in kind.links(typed):
        path = f"{kind.object_path(listed)}/{link.path}"
        try:
            policy[link.name] = _linked_ids(link, client, path)
        except InvalidRequest:
            missing.append(link.name)
    return missing


def _linked_ids(link: Link, client: GraphReader, path: str) -> list[str]:
    if link.is_list:
        return sorted(str(each["id"]) for each in client.list(path, {"$select": "id"}))
    try:
        linked = client.get(path, {"$select": "id"})
    except ObjectNotFound:
        # Graph answers so where a link is not set; the object itself was read just before.
        return []
    return [str(linked["id"])] if linked.get("id") else []


def _missing_settings(policy: Mapping[str, Any]) -> list[str]:
    expected, actual = policy.get("settingCount"), len(policy.get("settings") or [])
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
