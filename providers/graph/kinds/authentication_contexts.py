"""Authentication contexts (“c1” to “c99”), which apps and conditional access policies name."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="authentication_contexts",
    label="Authentication context",
    label_plural="Authentication contexts",
    list_path="/v1.0/identity/conditionalAccess/authenticationContextClassReferences",
    read_permission="Policy.Read.All",
    write_permission="Policy.ReadWrite.ConditionalAccess",
    restore=Restore.FULL,
    keeps_id=True,
    service=Service(page=100, patch_status=204, is_paced=True),
    samples=(
        {
            "id": "c1",
            "displayName": "Require compliant device",
            "description": "",
            "isAvailable": True,
        },
    ),
)
