"""The application permissions that each path of Graph requires.

Source: Microsoft's permission reference; not tested against the live service.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permission:
    """The permissions for reading and writing under a path; `noun` names the objects there."""

    path: str
    noun: str
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
    Permission(
        "/deviceManagement/auditEvents", "the audit log of Intune", "DeviceManagementApps.Read.All"
    ),
    Permission("/auditLogs/directoryAudits", "the audit log of Entra ID", "AuditLog.Read.All"),
)
#: Without them, backups work but do not say who made a change.
_AUDIT_LOGS = ("/deviceManagement/auditEvents", "/auditLogs/directoryAudits")

_UNKNOWN = Permission("", "this part of Microsoft Graph", "the permission for it")


def permission_for(path: str) -> Permission:
    """Return the permissions of a path, with or without its version ("/beta", "/v1.0")."""
    for version in ("/beta", "/v1.0"):
        path = path.removeprefix(version)
    return next((entry for entry in PERMISSIONS if path.startswith(entry.path)), _UNKNOWN)


#: Required in addition to the permissions for the restored objects.
_ADDITIONAL_FOR_RESTORE = {
    "Application.Read.All": ["the applications that conditional access names"]
}
_NOT_RESTORED = frozenset({"/roleManagement/directory/roleDefinitions"})


def read_permissions() -> dict[str, list[str]]:
    """Return the permissions for inventory and backup, each with the objects that it covers."""
    grouped: dict[str, list[str]] = {}
    for entry in PERMISSIONS:
        if entry.path not in _AUDIT_LOGS:
            grouped.setdefault(entry.read, []).append(entry.noun)
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
    for entry in PERMISSIONS:
        if entry.write and entry.path not in _NOT_RESTORED:
            grouped.setdefault(entry.write, []).append(entry.noun)
    return grouped | _ADDITIONAL_FOR_RESTORE
