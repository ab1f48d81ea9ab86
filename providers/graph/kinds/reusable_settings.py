"""Groups of settings that several settings catalog policies share, such as lists of addresses."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.normalize import Noise
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="reusable_settings",
    label="Reusable settings group",
    label_plural="Reusable settings groups",
    list_path="/beta/deviceManagement/reusablePolicySettings",
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    required=("settingInstance",),
    noise=Noise(strip=("referencingConfigurationPolicyCount",)),
    restore=Restore.FULL,
    is_checked_by_graph=True,
    service=Service(
        only_in_detail=("settingInstance",), read_only=("referencingConfigurationPolicyCount",)
    ),
    samples=(
        {
            "displayName": "Addresses of the update servers",
            "description": "",
            "settingDefinitionId": "vendor_msft_firewall_mdmstore_dynamickeywords_addresses_{id}",
            "settingInstance": {
                "@odata.type": (
                    "#microsoft.graph.deviceManagementConfigurationGroupSettingCollectionInstance"
                ),
                "settingDefinitionId": "vendor_msft_firewall_mdmstore_dynamickeywords_addresses_{id}",
                "groupSettingCollectionValue": [
                    {
                        "children": [
                            {
                                "@odata.type": (
                                    "#microsoft.graph.deviceManagementConfigurationSimpleSettingInstance"
                                ),
                                "settingDefinitionId": "vendor_msft_firewall_keyword",
                                "simpleSettingValue": {
                                    "@odata.type": (
                                        "#microsoft.graph.deviceManagementConfigurationStringSettingValue"
                                    ),
                                    "value": "updates.contoso.example",
                                },
                            }
                        ]
                    }
                ],
            },
            "referencingConfigurationPolicyCount": 1,
            "version": 1,
        },
    ),
)
