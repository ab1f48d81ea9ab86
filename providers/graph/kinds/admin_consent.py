"""Whether users may ask administrators for consent: one policy of a tenant."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Restore, Service

KIND = PolicyKind(
    key="admin_consent",
    label="Admin consent policy",
    label_plural="Admin consent policies",
    list_path="/v1.0/policies/adminConsentRequestPolicy",
    read_permission="Policy.Read.All",
    is_singleton=True,
    restore=Restore.PREVIEW_ONLY,
    service=Service(writes=()),
    samples=(
        {
            "id": "adminConsentRequestPolicy",
            "displayName": "Requests for admin consent",
            "isEnabled": True,
            "notifyReviewers": True,
            "remindersEnabled": True,
            "requestDurationInDays": 30,
            "version": 1,
            "reviewers": [],
        },
    ),
)
