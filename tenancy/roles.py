"""Roles and their capabilities; every page, command and admin action checks this table."""

from __future__ import annotations

from enum import StrEnum

from django.db import models


class Role(models.TextChoices):
    """The role of a member; each role includes the capabilities of the roles before it."""

    READER = "reader", "Reader"
    OPERATOR = "operator", "Operator"
    MANAGER = "manager", "Manager"
    OWNER = "owner", "Owner"


class Capability(StrEnum):
    """One action that a role allows in a workspace."""

    VIEW = "view"
    START_SYNC = "start_sync"
    START_BACKUP = "start_backup"
    EXPORT_POLICIES = "export_policies"
    CHECK_CONNECTION = "check_connection"
    RETRY_RUN = "retry_run"
    ACKNOWLEDGE_RUN = "acknowledge_run"
    CANCEL_OWN_RUN = "cancel_own_run"
    SHARE_VIEWS = "share_views"
    CANCEL_ANY_RUN = "cancel_any_run"
    MANAGE_SCHEDULES = "manage_schedules"
    DELETE_BACKUP_SETS = "delete_backup_sets"
    REVEAL_VALUES = "reveal_values"
    MANAGE_CONNECTIONS = "manage_connections"
    RESTORE = "restore"
    PRUNE_RUNS = "prune_runs"
    MANAGE_TENANTS = "manage_tenants"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_WORKSPACE = "manage_workspace"
    VIEW_AUDIT_LOG = "view_audit_log"


_READER = frozenset({Capability.VIEW})
_OPERATOR = _READER | {
    Capability.START_SYNC,
    Capability.START_BACKUP,
    Capability.EXPORT_POLICIES,
    Capability.CHECK_CONNECTION,
    Capability.RETRY_RUN,
    Capability.ACKNOWLEDGE_RUN,
    Capability.CANCEL_OWN_RUN,
    Capability.SHARE_VIEWS,
}
_MANAGER = _OPERATOR | {
    Capability.CANCEL_ANY_RUN,
    Capability.MANAGE_SCHEDULES,
    Capability.DELETE_BACKUP_SETS,
    Capability.REVEAL_VALUES,
    Capability.MANAGE_CONNECTIONS,
    Capability.RESTORE,
    Capability.PRUNE_RUNS,
}
_OWNER = _MANAGER | {
    Capability.MANAGE_TENANTS,
    Capability.MANAGE_MEMBERS,
    Capability.MANAGE_WORKSPACE,
    Capability.VIEW_AUDIT_LOG,
}


ROLE_CAPABILITIES: dict[str, frozenset[Capability]] = {
    Role.READER: _READER,
    Role.OPERATOR: _OPERATOR,
    Role.MANAGER: _MANAGER,
    Role.OWNER: _OWNER,
}


def roles_with(capability: Capability) -> list[str]:
    """Return the roles that include a capability."""
    return [role for role, capabilities in ROLE_CAPABILITIES.items() if capability in capabilities]
