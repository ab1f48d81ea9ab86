"""Which application permission each part of Graph needs. One table, easy to correct.

Source: Microsoft's permission reference; not tried against live Microsoft.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """What reading and writing under a path needs, and what to call what is there."""

    path: str
    what: str
    read: str
    write: str = ""


PERMISSIONS = (
    Permission(
        "/deviceManagement/configurationPolicies",
        "settings catalog policies",
        "DeviceManagementConfiguration.Read.All",
        "DeviceManagementConfiguration.ReadWrite.All",
    ),
    Permission(
        "/deviceManagement/deviceConfigurations",
        "device configuration profiles",
        "DeviceManagementConfiguration.Read.All",
        "DeviceManagementConfiguration.ReadWrite.All",
    ),
    Permission(
        "/deviceManagement/deviceCompliancePolicies",
        "compliance policies",
        "DeviceManagementConfiguration.Read.All",
        "DeviceManagementConfiguration.ReadWrite.All",
    ),
    Permission(
        "/deviceManagement/compliancePolicies",
        "Linux compliance policies",
        "DeviceManagementConfiguration.Read.All",
        "DeviceManagementConfiguration.ReadWrite.All",
    ),
    Permission(
        "/deviceManagement/assignmentFilters",
        "assignment filters",
        "DeviceManagementConfiguration.Read.All",
    ),
    Permission(
        "/deviceManagement/roleScopeTags",
        "scope tags",
        "DeviceManagementRBAC.Read.All",
    ),
    Permission(
        "/deviceAppManagement",
        "app protection policies",
        "DeviceManagementApps.Read.All",
        "DeviceManagementApps.ReadWrite.All",
    ),
    Permission(
        "/identity/conditionalAccess/policies",
        "conditional access policies",
        "Policy.Read.All",
        "Policy.ReadWrite.ConditionalAccess",
    ),
    Permission(
        "/identity/conditionalAccess/namedLocations",
        "named locations",
        "Policy.Read.All",
        "Policy.ReadWrite.ConditionalAccess",
    ),
    Permission("/groups", "groups", "GroupMember.Read.All"),
    Permission(
        "/roleManagement/directory/roleDefinitions",
        "directory roles",
        "RoleManagement.Read.Directory",
        "RoleManagement.ReadWrite.Directory",
    ),
    Permission("/organization", "the organization", "Organization.Read.All"),
)

_UNKNOWN = Permission("", "this part of Microsoft Graph", "the permission for it")


def permission_for(path: str) -> Permission:
    """The entry of a request's path, with or without its version ("/beta", "/v1.0")."""
    for version in ("/beta", "/v1.0"):
        path = path.removeprefix(version)
    return next((entry for entry in PERMISSIONS if path.startswith(entry.path)), _UNKNOWN)


#: Needed beside the permissions of what is restored.
_BESIDE_RESTORE = {"Application.Read.All": ["the applications that conditional access names"]}
_NOT_RESTORED = frozenset({"/roleManagement/directory/roleDefinitions"})


def read_permissions() -> dict[str, list[str]]:
    """What to grant for inventory and backup: each permission with what it is for."""
    grouped: dict[str, list[str]] = {}
    for entry in PERMISSIONS:
        grouped.setdefault(entry.read, []).append(entry.what)
    return grouped


def restore_permissions() -> dict[str, list[str]]:
    """What to grant besides where policies are to be restored."""
    grouped: dict[str, list[str]] = {}
    for entry in PERMISSIONS:
        if entry.write and entry.path not in _NOT_RESTORED:
            grouped.setdefault(entry.write, []).append(entry.what)
    return grouped | _BESIDE_RESTORE
