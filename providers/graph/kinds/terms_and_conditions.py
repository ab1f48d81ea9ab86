"""Terms and conditions that users accept when they enroll a device."""

from __future__ import annotations

from providers.graph.capture import with_detail
from providers.graph.policy_kind import Assign, PolicyKind, Restore, Service

KIND = PolicyKind(
    key="terms_and_conditions",
    label="Terms and conditions",
    label_plural="Terms and conditions",
    list_path="/beta/deviceManagement/termsAndConditions",
    read_permission="DeviceManagementServiceConfig.Read.All",
    write_permission="DeviceManagementServiceConfig.ReadWrite.All",
    read=with_detail,
    restore=Restore.FULL,
    assign=Assign(is_one_by_one=True),
    service=Service(hidden=("assignments",)),
    samples=(
        {
            "displayName": "Use of company data",
            "description": "",
            "title": "Use of company data",
            "bodyText": "The company can remove its data from this device.",
            "acceptanceStatement": "I accept.",
            "version": 2,
            "roleScopeTagIds": ["0"],
            "assignments": [
                {
                    "id": "1",
                    "target": {"@odata.type": "#microsoft.graph.allLicensedUsersAssignmentTarget"},
                }
            ],
        },
    ),
)
