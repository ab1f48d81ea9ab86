"""Quality update policies: hotpatch updates for Windows."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="quality_update_policies",
    label="Quality update policy",
    label_plural="Quality update policies",
    list_path="/beta/deviceManagement/windowsQualityUpdatePolicies",
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=()),
    restore=Restore.FULL,
    assign=Assign(),
    service=Service(hidden=("assignments",), read_only=()),
    samples=(
        {
            "displayName": "Hotpatch for all devices",
            "description": "",
            "hotpatchEnabled": True,
            "approvalSettings": [],
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
