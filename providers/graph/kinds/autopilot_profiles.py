"""Autopilot deployment profiles. Their assignments are added and removed one by one."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="autopilot_profiles",
    label="Autopilot profile",
    label_plural="Autopilot profiles",
    list_path="/beta/deviceManagement/windowsAutopilotDeploymentProfiles",
    read_permission="DeviceManagementServiceConfig.Read.All",
    write_permission="DeviceManagementServiceConfig.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("managementServiceAppId",)),
    restore=Restore.FULL,
    assign=Assign(is_one_by_one=True),
    service=Service(
        hidden=("assignments",), needs_type=True, read_only=("managementServiceAppId",)
    ),
    exported_as=("AutoPilot",),
    samples=(
        {
            "@odata.type": "#microsoft.graph.azureADWindowsAutopilotDeploymentProfile",
            "displayName": "Laptops of employees",
            "description": "",
            "language": "os-default",
            "locale": "os-default",
            "deviceType": "windowsPc",
            "deviceNameTemplate": "LT-%SERIAL%",
            "extractHardwareHash": True,
            "hardwareHashExtractionEnabled": True,
            "enableWhiteGlove": False,
            "preprovisioningAllowed": False,
            "managementServiceAppId": "",
            "outOfBoxExperienceSetting": {
                "privacySettingsHidden": True,
                "eulaHidden": True,
                "userType": "standard",
                "deviceUsageType": "singleUser",
                "keyboardSelectionPageSkipped": True,
                "escapeLinkHidden": True,
            },
            "enrollmentStatusScreenSettings": None,
            "roleScopeTagIds": ["0"],
            "assignments": [
                {
                    "id": "1",
                    "target": {"@odata.type": "#microsoft.graph.allDevicesAssignmentTarget"},
                }
            ],
        },
    ),
)
