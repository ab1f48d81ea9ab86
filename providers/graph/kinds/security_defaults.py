"""Whether the security defaults of Microsoft are on: one policy of a tenant."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="security_defaults",
    label="Security defaults",
    label_plural="Security defaults",
    list_path="/v1.0/policies/identitySecurityDefaultsEnforcementPolicy",
    read_permission="Policy.Read.All",
    is_singleton=True,
    restore=Restore.PREVIEW_ONLY,
    service=Service(writes=()),
    samples=(
        {
            "id": "00000000-0000-0000-0000-000000000005",
            "displayName": "Security Defaults",
            "description": "",
            "isEnabled": False,
        },
    ),
)
