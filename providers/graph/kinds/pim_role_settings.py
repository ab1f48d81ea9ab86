"""The settings of Privileged Identity Management for each directory role: its rules.

Graph returns them per role and without its name.
"""

from __future__ import annotations

from providers.graph.normalize import Noise
from providers.graph.policy_kind import NamedBy, PolicyKind, Restore, Service

_EXPAND = {"$expand": "policy($expand=rules)"}

KIND = PolicyKind(
    key="pim_role_settings",
    label="PIM role setting",
    label_plural="PIM role settings",
    list_path="/v1.0/policies/roleManagementPolicyAssignments",
    # Graph requires the filter.
    list_params={"$filter": "scopeId eq '/' and scopeType eq 'DirectoryRole'", **_EXPAND},
    detail_params=_EXPAND,
    named_by=NamedBy("/v1.0/roleManagement/directory/roleDefinitions", "roleDefinitionId"),
    read_permission="RoleManagement.Read.Directory",
    required=("policy",),
    noise=Noise(
        strip_within=("lastModifiedBy",), unordered_within=("rules",), keeps_ids_within=True
    ),
    restore=Restore.PREVIEW_ONLY,
    service=Service(page=100, hidden=("policy",), writes=()),
    samples=(
        {
            "id": "DirectoryRole_5a2f0f10_62e90394-69f5-4237-9190-012177145e10",
            "policyId": "DirectoryRole_5a2f0f10",
            "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10",
            "scopeId": "/",
            "scopeType": "DirectoryRole",
            "policy": {
                "id": "DirectoryRole_5a2f0f10",
                "displayName": "DirectoryRole",
                "description": "DirectoryRole",
                "isOrganizationDefault": False,
                "scopeId": "/",
                "scopeType": "DirectoryRole",
                "lastModifiedDateTime": "2026-03-02T08:00:00Z",
                "lastModifiedBy": {"id": None, "displayName": "Dana Reyes"},
                "rules": [
                    {
                        "@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyExpirationRule",
                        "id": "Expiration_EndUser_Assignment",
                        "isExpirationRequired": True,
                        "maximumDuration": "PT4H",
                        "target": {
                            "caller": "EndUser",
                            "operations": ["all"],
                            "level": "Assignment",
                            "inheritableSettings": [],
                            "enforcedSettings": [],
                        },
                    },
                    {
                        "@odata.type": "#microsoft.graph.unifiedRoleManagementPolicyEnablementRule",
                        "id": "Enablement_EndUser_Assignment",
                        "enabledRules": ["MultiFactorAuthentication", "Justification"],
                        "target": {
                            "caller": "EndUser",
                            "operations": ["all"],
                            "level": "Assignment",
                            "inheritableSettings": [],
                            "enforcedSettings": [],
                        },
                    },
                ],
            },
        },
    ),
)
