"""Quality update profiles: security updates that devices install at once."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="quality_updates",
    label="Quality update profile",
    label_plural="Quality update profiles",
    list_path="/beta/deviceManagement/windowsQualityUpdateProfiles",
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("deployableContentDisplayName", "releaseDateDisplayName")),
    restore=Restore.FULL,
    assign=Assign(),
    service=Service(
        hidden=("assignments",),
        read_only=("deployableContentDisplayName", "releaseDateDisplayName"),
    ),
    samples=(
        {
            "displayName": "Expedite the security update",
            "description": "",
            "expeditedUpdateSettings": {
                "qualityUpdateRelease": "2026-10-13T00:00:00Z",
                "daysUntilForcedReboot": 1,
            },
            "deployableContentDisplayName": "10/13/2026 - 2026.10 B SecurityUpdate",
            "releaseDateDisplayName": "10/13/2026",
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
