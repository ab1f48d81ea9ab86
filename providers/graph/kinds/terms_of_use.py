"""Terms of use, which conditional access policies require, without their documents."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="terms_of_use",
    label="Terms of use",
    label_plural="Terms of use",
    list_path="/v1.0/identityGovernance/termsOfUse/agreements",
    read_permission="Agreement.Read.All",
    restore=Restore.PREVIEW_ONLY,
    is_checked_by_graph=True,
    service=Service(writes=()),
    samples=(
        {
            "displayName": "Guests",
            "termsExpiration": None,
            "userReacceptRequiredFrequency": None,
            "isViewingBeforeAcceptanceRequired": True,
            "isPerDeviceAcceptanceRequired": False,
        },
    ),
)
