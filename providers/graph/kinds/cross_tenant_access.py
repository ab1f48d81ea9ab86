"""The default settings for access between tenants: one policy of a tenant."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="cross_tenant_access",
    label="Cross-tenant access policy",
    label_plural="Cross-tenant access policies",
    list_path="/v1.0/policies/crossTenantAccessPolicy/default",
    read_permission="Policy.Read.All",
    is_singleton=True,
    restore=Restore.PREVIEW_ONLY,
    service=Service(writes=()),
    samples=(
        {
            "id": "default",
            "displayName": "Default settings of cross-tenant access",
            "isServiceDefault": False,
            "inboundTrust": {
                "isMfaAccepted": True,
                "isCompliantDeviceAccepted": False,
                "isHybridAzureADJoinedDeviceAccepted": False,
            },
        },
    ),
)
