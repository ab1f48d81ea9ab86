"""Policy sets, which bundle apps and policies."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="policy_sets",
    label="Policy set",
    label_plural="Policy sets",
    list_path="/beta/deviceAppManagement/policySets",
    detail_params={"$expand": "items,assignments"},
    read_permission="DeviceManagementApps.Read.All",
    read=with_detail,
    noise=Noise(strip=("status", "errorCode")),
    restore=Restore.PREVIEW_ONLY,
    service=Service(hidden=("assignments", "items"), writes=()),
    samples=(
        {
            "displayName": "New employees",
            "description": "",
            "status": "success",
            "errorCode": "noError",
            "guidedDeploymentTags": [],
            "roleScopeTags": ["0"],
            "items": [
                {
                    "id": "1",
                    "@odata.type": "#microsoft.graph.deviceConfigurationPolicySetItem",
                    "payloadId": "5f5f0a5c-4f0f-4d0c-9e83-0a6c7a9d5f11",
                    "displayName": "Wi-Fi",
                }
            ],
            "assignments": [],
        },
    ),
)
