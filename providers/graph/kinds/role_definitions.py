"""The roles of the directory, built-in and custom."""

from __future__ import annotations

from providers.graph.policy_kind import Need, PolicyKind, Service

KIND = PolicyKind(
    key="role_definitions",
    label="Directory role",
    label_plural="Directory roles",
    list_path="/v1.0/roleManagement/directory/roleDefinitions",
    needed=Need.READ,
    read_permission="RoleManagement.Read.Directory",
    has_own_table=True,
    is_mirrored_only=True,
    is_checked_by_graph=True,
    service=Service(page=100, max_page=999, writes=()),
)
