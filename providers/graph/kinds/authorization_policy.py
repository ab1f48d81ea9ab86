"""What users and guests may do by default: one policy of a tenant."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="authorization_policy",
    label="Authorization policy",
    label_plural="Authorization policies",
    list_path="/v1.0/policies/authorizationPolicy",
    read_permission="Policy.Read.All",
    is_singleton=True,
    restore=Restore.PREVIEW_ONLY,
    service=Service(writes=()),
    samples=(
        {
            "id": "authorizationPolicy",
            "displayName": "Authorization Policy",
            "description": "",
            "allowInvitesFrom": "adminsAndGuestInviters",
            "allowedToUseSSPR": True,
            "blockMsolPowerShell": True,
            "guestUserRoleId": "2af84b1e-32c8-42b7-82bc-daa82404023b",
            "defaultUserRolePermissions": {
                "allowedToCreateApps": False,
                "allowedToCreateSecurityGroups": False,
                "permissionGrantPoliciesAssigned": [],
            },
        },
    ),
)
