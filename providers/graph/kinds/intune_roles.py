"""The roles of Intune, built-in and custom, without their assignments to administrators."""

from __future__ import annotations

from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="intune_roles",
    label="Intune role",
    label_plural="Intune roles",
    list_path="/beta/deviceManagement/roleDefinitions",
    read_permission="DeviceManagementRBAC.Read.All",
    write_permission="DeviceManagementRBAC.ReadWrite.All",
    # `permissions` repeats `rolePermissions` in an earlier format.
    noise=Noise(strip=("isBuiltIn", "isBuiltInRoleDefinition", "permissions"), unordered_ids=True),
    restore=Restore.FULL,
    service=Service(
        needs_type=True, read_only=("isBuiltIn", "isBuiltInRoleDefinition", "permissions")
    ),
    exported_as=("Roles",),
    samples=(
        {
            "@odata.type": "#microsoft.graph.deviceAndAppManagementRoleDefinition",
            "displayName": "Help desk of the branches",
            "description": "Reads devices and restarts them.",
            "isBuiltIn": False,
            "isBuiltInRoleDefinition": False,
            "roleScopeTagIds": ["0"],
            "rolePermissions": [
                {
                    "resourceActions": [
                        {
                            "allowedResourceActions": [
                                "Microsoft.Intune_ManagedDevices_Read",
                                "Microsoft.Intune_RemoteTasks_RebootNow",
                            ],
                            "notAllowedResourceActions": [],
                        }
                    ]
                }
            ],
            "permissions": [],
        },
        {
            "@odata.type": "#microsoft.graph.deviceAndAppManagementRoleDefinition",
            "displayName": "Read Only Operator",
            "description": "Reads everything.",
            "isBuiltIn": True,
            "isBuiltInRoleDefinition": True,
            "roleScopeTagIds": [],
            "rolePermissions": [],
            "permissions": [],
        },
    ),
)
