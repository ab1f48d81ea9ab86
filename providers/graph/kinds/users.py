"""Users, which conditional access policies refer to. A tenant has too many of them to list."""

from __future__ import annotations

from providers.graph.policy_kind import PolicyKind, Service

KIND = PolicyKind(
    key="users",
    label="User",
    label_plural="Users",
    list_path="/v1.0/users",
    looked_up_at="/v1.0/users/{id}",
    read_permission="User.Read.All",
    is_checked_by_graph=True,
    service=Service(
        page=100, max_page=999, writes=(), reads_with=("User.ReadBasic.All", "Directory.Read.All")
    ),
    samples=(
        {"displayName": "Dana Reyes", "userPrincipalName": "dana.reyes@example.com"},
        {"displayName": "Emergency access", "userPrincipalName": "emergency@example.com"},
    ),
)
