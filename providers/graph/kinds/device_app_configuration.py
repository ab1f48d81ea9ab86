"""App configuration policies for apps on managed devices."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service
from providers.graph.references import Reference

KIND = PolicyKind(
    key="device_app_configuration",
    label="Device app configuration policy",
    label_plural="Device app configuration policies",
    list_path="/beta/deviceAppManagement/mobileAppConfigurations",
    detail_params={"$expand": "assignments"},
    read_permission="DeviceManagementApps.Read.All",
    write_permission="DeviceManagementApps.ReadWrite.All",
    read=with_detail,
    restore=Restore.FULL,
    assign=Assign(),
    references=(Reference("mobile_apps", "targetedMobileApps[]"),),
    service=Service(hidden=("assignments",), needs_type=True),
    exported_as=("AppConfigurationManagedDevice", "App Configuration"),
    samples=(
        {
            "@odata.type": "#microsoft.graph.iosMobileAppConfiguration",
            "displayName": "Defender on iOS",
            "description": "",
            "version": 1,
            "targetedMobileApps": [],
            "encodedSettingXml": None,
            "settings": [
                {
                    "appConfigKey": "issupervised",
                    "appConfigKeyType": "stringType",
                    "appConfigKeyValue": "{{issupervised}}",
                }
            ],
            "roleScopeTagIds": ["0"],
            "assignments": [],
        },
    ),
)
