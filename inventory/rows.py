"""Convert the list entries of Graph to rows of the inventory. Pure; accepts any JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inventory.models import GroupType
from providers.graph.policy_kind import PolicyKind, last_modified
from redaction.text import sanitize_text

Json = Mapping[str, Any]
Row = dict[str, Any]
MAX_ACTIONS = 1000

_PLATFORMS = {
    "windows": "Windows",
    "win32": "Windows",
    "mdmwindows": "Windows",
    "ios": "iOS",
    "android": "Android",
    "aosp": "Android",
    "macos": "macOS",
    "linux": "Linux",
}


def policy_row(kind: PolicyKind, entry: Json) -> Row:
    """Return the row of a policy."""
    object_type = _text(entry.get("@odata.type"), 200).removeprefix("#microsoft.graph.")
    # The type names the platform of kinds without such a property.
    platforms = entry.get("platforms") or entry.get("platform") or object_type
    modified = last_modified(entry)
    return _common(kind, entry) | {
        "object_type": object_type,
        "platform": _platform_labels(str(platforms)),
        "state": _text(entry.get("state"), 64),
        "is_assigned": _is_assigned(entry),
        "last_modified_at": modified.isoformat() if modified else None,
    }


def group_row(kind: PolicyKind, entry: Json) -> Row:
    """Return the row of a group."""
    return _common(kind, entry) | {
        "group_type": _group_type(entry).value,
        "is_dynamic": "DynamicMembership" in _list(entry.get("groupTypes")),
        "membership_rule": _text(entry.get("membershipRule"), 4000),
        "is_synced": entry.get("onPremisesSyncEnabled") is True,
        "is_assignable_to_role": entry.get("isAssignableToRole") is True,
    }


def role_definition_row(kind: PolicyKind, entry: Json) -> Row:
    """Return the row of a directory role, with its permissions sorted."""
    allowed = {
        _text(action, 300)
        for permission in _list(entry.get("rolePermissions"))
        if isinstance(permission, dict)
        for action in _list(permission.get("allowedResourceActions"))
    }
    return _common(kind, entry) | {
        "template_id": _text(entry.get("templateId"), 200),
        "is_built_in": entry.get("isBuiltIn") is True,
        "is_enabled": entry.get("isEnabled") is not False,
        "actions": sorted(allowed - {""})[:MAX_ACTIONS],
    }


def _common(kind: PolicyKind, entry: Json) -> Row:
    graph_id = str(entry["id"])
    return {
        "graph_id": graph_id,
        "name": _text(kind.name_of(entry), 300) or graph_id,
        "description": _text(entry.get("description"), 1000),
    }


def _text(value: Any, max_length: int) -> str:
    return sanitize_text(value, max_length=max_length) if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _platform_labels(platforms: str) -> str:
    """The labels of comma-separated platforms or of a type name, sorted; unknown ones are ignored."""
    labels = set()
    for text in platforms.lower().split(","):
        for prefix, label in _PLATFORMS.items():
            if text.strip().startswith(prefix):
                labels.add(label)
                break
    return ", ".join(sorted(labels))


def _is_assigned(entry: Json) -> bool | None:
    """Whether the policy has assignments; None for kinds whose lists do not include them."""
    if isinstance(entry.get("isAssigned"), bool):
        return bool(entry["isAssigned"])
    if isinstance(entry.get("assignments"), list):
        return bool(entry["assignments"])
    return None


def _group_type(entry: Json) -> GroupType:
    if "Unified" in _list(entry.get("groupTypes")):
        return GroupType.MICROSOFT_365
    if entry.get("mailEnabled") is not True:
        return GroupType.SECURITY
    if entry.get("securityEnabled") is True:
        return GroupType.MAIL_SECURITY
    return GroupType.DISTRIBUTION
