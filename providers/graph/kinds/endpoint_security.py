"""Endpoint security policies of the earlier format (intents)."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="endpoint_security",
    label="Endpoint security policy",
    label_plural="Endpoint security policies",
    list_path="/beta/deviceManagement/intents",
    detail_params={"$expand": "settings,assignments"},
    read_permission="DeviceManagementConfiguration.Read.All",
    read=with_detail,
    noise=Noise(strip=("isMigratingToConfigurationPolicy",)),
    # The settings, by category.
    computed=("categories",),
    restore=Restore.PREVIEW_ONLY,
    required=("settings",),
    service=Service(hidden=("assignments", "settings"), writes=()),
    samples=(
        {
            "displayName": "Disk encryption of laptops",
            "description": "",
            "templateId": "d1174162-1dd2-4976-affc-6667049ab0ae",
            "isAssigned": False,
            "isMigratingToConfigurationPolicy": False,
            "roleScopeTagIds": ["0"],
            "settings": [
                {
                    "@odata.type": "#microsoft.graph.deviceManagementBooleanSettingInstance",
                    "id": "b1",
                    "definitionId": "deviceConfiguration--windows10EndpointProtectionConfiguration_bitLockerEncryptDevice",
                    "valueJson": "true",
                    "value": True,
                }
            ],
            "assignments": [],
        },
    ),
)
