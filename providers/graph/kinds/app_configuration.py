"""App configuration policies for managed apps."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="app_configuration",
    label="App configuration policy",
    label_plural="App configuration policies",
    list_path="/beta/deviceAppManagement/targetedManagedAppConfigurations",
    detail_params={"$expand": "apps,assignments"},
    read_permission="DeviceManagementApps.Read.All",
    write_permission="DeviceManagementApps.ReadWrite.All",
    read=with_detail,
    noise=Noise(strip=("deployedAppCount",), strip_within=("version",)),
    restore=Restore.FULL,
    actions=(Action("apps", "targetApps", "apps", more=("appGroupType",)),),
    assign=Assign(),
    service=Service(
        hidden=("assignments", "apps"), assign_status=204, read_only=("deployedAppCount",)
    ),
    exported_as=("AppConfigurationManagedApp",),
    samples=(
        {
            "displayName": "Outlook - Focused inbox",
            "description": "",
            "version": '"1"',
            "isAssigned": False,
            "deployedAppCount": 1,
            "appGroupType": "selectedPublicApps",
            "targetedAppManagementLevels": "unspecified",
            "customSettings": [
                {"name": "com.microsoft.outlook.Mail.FocusedInbox", "value": "true"}
            ],
            "roleScopeTagIds": ["0"],
            "apps": [
                {
                    "id": "com.microsoft.outlook.ios",
                    "version": "1",
                    "mobileAppIdentifier": {
                        "@odata.type": "#microsoft.graph.iosMobileAppIdentifier",
                        "bundleId": "com.microsoft.Office.Outlook",
                    },
                }
            ],
            "assignments": [],
        },
    ),
)
