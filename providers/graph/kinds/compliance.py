"""Compliance policies, except those for Linux."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Action, Assign, Need, PolicyKind, Restore, Service
from providers.graph.references import Reference

KIND = PolicyKind(
    key="compliance",
    label="Compliance policy",
    label_plural="Compliance policies",
    list_path="/beta/deviceManagement/deviceCompliancePolicies",
    list_params={"$expand": "assignments"},
    detail_params={
        "$expand": "assignments,scheduledActionsForRule($expand=scheduledActionConfigurations)"
    },
    needed=Need.WRITE,
    read_permission="DeviceManagementConfiguration.Read.All",
    write_permission="DeviceManagementConfiguration.ReadWrite.All",
    read=with_detail,
    has_scheduled_actions=True,
    restore=Restore.FULL,
    assign=Assign(),
    actions=(
        Action(
            "scheduledActionsForRule",
            "scheduleActionsForRules",
            "deviceComplianceScheduledActionForRules",
            is_in_creation=True,
        ),
    ),
    references=(
        Reference(
            "notification_templates",
            "scheduledActionsForRule[].scheduledActionConfigurations[].notificationTemplateId",
        ),
        Reference(
            "groups",
            "scheduledActionsForRule[].scheduledActionConfigurations[].notificationMessageCCList[]",
        ),
        Reference("compliance_scripts", "deviceCompliancePolicyScript.deviceComplianceScriptId"),
    ),
    service=Service(hidden=("assignments", "scheduledActionsForRule"), needs_type=True),
    exported_as=("Device Compliance",),
)
