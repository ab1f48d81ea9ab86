"""Device cleanup rules: after how many days without contact Intune removes devices."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore

KIND = PolicyKind(
    key="device_cleanup_rules",
    label="Device cleanup rule",
    label_plural="Device cleanup rules",
    list_path="/beta/deviceManagement/managedDeviceCleanupRules",
    read_permission="DeviceManagementManagedDevices.Read.All",
    write_permission="DeviceManagementManagedDevices.ReadWrite.All",
    restore=Restore.FULL,
    samples=(
        {
            "displayName": "Phones",
            "description": "Without contact for half a year",
            "deviceCleanupRulePlatformType": "ios",
            "deviceInactivityBeforeRetirementInDays": 180,
        },
    ),
)
