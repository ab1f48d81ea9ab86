"""Policies of the settings catalog."""

from __future__ import annotations

from providers.graph.capture import with_settings
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Assign, Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

KIND = PolicyKind(
    key="settings_catalog",
    label="Settings catalog policy",
    label_plural="Settings catalog policies",
    list_path="/beta/deviceManagement/configurationPolicies",
    # The page is larger than Graph's default of 25.
    list_params={"$expand": "assignments", "$top": "100"},
    detail_params={"$expand": "assignments"},
    needed=Need.WRITE,
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    name_field="name",
    read=with_settings,
    noise=Noise(strip=("settingCount", "creationSource", "priorityMetaData")),
    restore=Restore.FULL,
    assign=Assign(),
    is_replaced=True,
    references=(
        Reference(
            "reusable_settings",
            "value",
            within="#microsoft.graph.deviceManagementConfigurationReferenceSettingValue",
        ),
    ),
    service=Service(
        page=25,
        hidden=("assignments", "settings"),
        writes=("POST", "PATCH", "PUT", "DELETE"),
        patch_status=204,
    ),
)
