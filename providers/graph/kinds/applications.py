"""Enterprise applications, which conditional access policies refer to by their client ids."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Service

KIND = PolicyKind(
    key="applications",
    label="Application",
    label_plural="Applications",
    list_path="/v1.0/servicePrincipals",
    looked_up_at="/v1.0/servicePrincipals(appId='{id}')",
    read_permission="Application.Read.All",
    is_checked_by_graph=True,
    service=Service(page=100, max_page=999, writes=(), reads_with=("Directory.Read.All",)),
    samples=(
        {
            "displayName": "Windows Azure Service Management API",
            "appId": "797f4846-ba00-4fd7-ba43-dac1f8f63013",
        },
        {"displayName": "Expense reports", "appId": "8d8e2b1c-7a51-4a1f-9f5e-0c6c1f6f3a11"},
    ),
)
