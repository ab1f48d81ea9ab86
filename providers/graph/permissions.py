"""The application permissions that each path of Graph requires.

Each kind declares its permissions; the paths of no kind are here. Source: Microsoft's permission
reference; not tested against the live service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from providers.graph.kinds import KIND
from providers.graph.policy_kind import Need, PolicyKind, Restore, in_sentence


@dataclass(frozen=True)
class Permission:
    """The permissions for reading and writing under a path; `noun` names the objects there."""

    path: str
    noun: str
    read: str
    write: str = ""


_ORGANIZATION = Permission("/organization", "the organization", "Organization.Read.All")
#: Without them, backups work but do not say who made a change.
_AUDIT_LOGS = (
    Permission(
        "/deviceManagement/auditEvents", "the audit log of Intune", "DeviceManagementApps.Read.All"
    ),
    Permission("/auditLogs/directoryAudits", "the audit log of Entra ID", "AuditLog.Read.All"),
)
_UNKNOWN = Permission("", "this part of Microsoft Graph", "the permission for it")


def _permissions_of(kind: PolicyKind) -> list[Permission]:
    paths = (kind.list_path, *kind.collections.values())
    noun = in_sentence(kind.label_plural)
    return [
        Permission(without_version(path), noun, kind.read_permission, kind.write_permission)
        for path in paths
    ]


def without_version(path: str) -> str:
    """Return a path without its version ("/beta", "/v1.0")."""
    for version in ("/beta", "/v1.0"):
        path = path.removeprefix(version)
    return path


_OF_KINDS = [entry for kind in KIND.values() for entry in _permissions_of(kind)]
PERMISSIONS = (*_OF_KINDS, _ORGANIZATION, *_AUDIT_LOGS)


def permission_for(path: str) -> Permission:
    """Return the permissions of a path, with or without its version."""
    path = without_version(path)
    matches = [
        each for each in PERMISSIONS if f"{path}/".startswith((f"{each.path}/", f"{each.path}("))
    ]
    return max(matches, key=lambda each: len(each.path), default=_UNKNOWN)


#: The permissions that every connection is to have; they also cover kinds that are not needed.
_TO_READ = frozenset(each.read_permission for each in KIND.values() if each.needed != Need.NOTHING)
_TO_WRITE = frozenset(each.write_permission for each in KIND.values() if each.needed == Need.WRITE)


def is_required(kind: PolicyKind) -> bool:
    """Whether every connection is to have the permission to read a kind."""
    return kind.read_permission in _TO_READ


def is_required_to_write(kind: PolicyKind) -> bool:
    """Whether every connection that may write is to have the permission to write a kind."""
    return kind.write_permission in _TO_WRITE


def read_permissions() -> dict[str, list[str]]:
    """Return the required permissions, each with the objects that it covers."""
    return _grouped(is_required) | {_ORGANIZATION.read: [_ORGANIZATION.noun]}


def optional_permissions() -> dict[str, list[str]]:
    """Return the permissions without which kinds are left out, each with these kinds."""
    return _grouped(lambda kind: not is_required(kind))


def _grouped(is_included: Callable[[PolicyKind], bool]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for kind in filter(is_included, KIND.values()):
        grouped.setdefault(kind.read_permission, []).append(in_sentence(kind.label_plural))
    return grouped


def audit_permissions() -> dict[str, list[str]]:
    """Return the optional permissions for the authors of changes."""
    return {
        "DeviceManagementApps.Read.All": ["the audit log of Intune"],
        "AuditLog.Read.All": ["the audit log of Entra ID"],
        "Directory.Read.All": ["the audit log of Entra ID"],
    }


def restore_permissions() -> dict[str, list[str]]:
    """Return the additional permissions for restores, each with the objects that it covers."""
    grouped: dict[str, list[str]] = {}
    for kind in KIND.values():
        if kind.restore is Restore.FULL:
            grouped.setdefault(kind.write_permission, []).append(in_sentence(kind.label_plural))
            for permission, noun in kind.more_permissions.items():
                grouped.setdefault(permission, []).append(noun)
    return grouped
