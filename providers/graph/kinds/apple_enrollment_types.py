"""The enrollment types that users of Apple devices can select."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="apple_enrollment_types",
    label="Apple enrollment type",
    label_plural="Apple enrollment types",
    list_path="/beta/deviceManagement/appleUserInitiatedEnrollmentProfiles",
    detail_params={"$expand": "assignments"},
    read_permission="DeviceManagementServiceConfig.Read.All",
    read=with_detail,
    restore=Restore.PREVIEW_ONLY,
    service=Service(hidden=("assignments",), writes=()),
    samples=(
        {
            "displayName": "Employees choose",
            "description": "",
            "defaultEnrollmentType": "device",
            "availableEnrollmentTypeOptions": [],
            "platform": "iOS",
            "priority": 1,
            "assignments": [],
        },
    ),
)
