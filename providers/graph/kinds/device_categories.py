"""Device categories, which users select when they enroll a device."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore

KIND = PolicyKind(
    key="device_categories",
    label="Device category",
    label_plural="Device categories",
    list_path="/beta/deviceManagement/deviceCategories",
    read_permission="DeviceManagementManagedDevices.Read.All",
    write_permission="DeviceManagementManagedDevices.ReadWrite.All",
    restore=Restore.FULL,
    samples=(
        {"displayName": "Kiosk", "description": "Devices without a user", "roleScopeTagIds": ["0"]},
    ),
)
