"""Driver update profiles. The approvals of single drivers are not read."""

from __future__ import annotations

from typing import Any

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service


def _approvals(payload: dict[str, Any]) -> list[str]:
    is_manual = payload.get("approvalType") == "manual"
    return ["the approvals of single drivers"] if is_manual else []


KIND = PolicyKind(
    key="driver_updates",
    label="Driver update profile",
    label_plural="Driver update profiles",
    list_path="/beta/deviceManagement/windowsDriverUpdateProfiles",
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("deviceReporting", "newUpdates", "inventorySyncStatus")),
    restore=Restore.FULL,
    assign=Assign(),
    lacking=_approvals,
    service=Service(
        hidden=("assignments",), read_only=("deviceReporting", "newUpdates", "inventorySyncStatus")
    ),
    samples=(
        {
            "displayName": "Drivers after seven days",
            "description": "",
            "approvalType": "automatic",
            "deploymentDeferralInDays": 7,
            "deviceReporting": 12,
            "newUpdates": 3,
            "inventorySyncStatus": {
                "lastSuccessfulSyncDateTime": None,
                "driverInventorySyncState": "pending",
            },
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
