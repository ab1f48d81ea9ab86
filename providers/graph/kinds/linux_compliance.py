"""Compliance policies for Linux, which are made of settings as in the settings catalog."""

from __future__ import annotations

from providers.graph.capture import with_settings
from providers.graph.normalize import Noise
from providers.graph.policy_kind import Action, Assign, Need, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="linux_compliance",
    label="Linux compliance policy",
    label_plural="Linux compliance policies",
    list_path="/beta/deviceManagement/compliancePolicies",
    list_params={"$expand": "assignments"},
    detail_params={
        "$expand": "assignments,scheduledActionsForRule($expand=scheduledActionConfigurations)"
    },
    needed=Need.WRITE,
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    name_field="name",
    read=with_settings,
    noise=Noise(strip=("settingCount", "creationSource")),
    restore=Restore.FULL,
    assign=Assign(),
    is_replaced=True,
    actions=(
        Action(
            "scheduledActionsForRule",
            "setScheduledActions",
            "scheduledActions",
            is_in_creation=True,
        ),
    ),
    service=Service(
        page=25,
        hidden=("assignments", "settings", "scheduledActionsForRule"),
        writes=("POST", "PATCH", "PUT", "DELETE"),
        patch_status=204,
    ),
)
