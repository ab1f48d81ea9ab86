"""Who may do what: one table, asked by every page, command and admin action."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from tenancy.models import User, Workspace


class Role(models.TextChoices):
    """What a member is in a workspace; each role can do all that the one before it can."""

    READER = "reader", "Reader"
    OPERATOR = "operator", "Operator"
    MANAGER = "manager", "Manager"
    OWNER = "owner", "Owner"


class Capability(StrEnum):
    """One thing that a person may be allowed to do in a workspace."""

    VIEW = "view"
    START_SYNC = "start_sync"
    START_BACKUP = "start_backup"
    EXPORT_POLICIES = "export_policies"
    CHECK_CONNECTION = "check_connection"
    RETRY_RUN = "retry_run"
    ACKNOWLEDGE_RUN = "acknowledge_run"
    CANCEL_OWN_RUN = "cancel_own_run"
    CANCEL_ANY_RUN = "cancel_any_run"
    MANAGE_SCHEDULES = "manage_schedules"
    DELETE_BACKUP_SETS = "delete_backup_sets"
    MANAGE_CONNECTIONS = "manage_connections"
    RESTORE = "restore"
    PRUNE_RUNS = "prune_runs"
    MANAGE_TENANTS = "manage_tenants"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_WORKSPACE = "manage_workspace"


_READER = frozenset({Capability.VIEW})
_OPERATOR = _READER | {
    Capability.START_SYNC,
    Capability.START_BACKUP,
    Capability.EXPORT_POLICIES,
    Capability.CHECK_CONNECTION,
    Capability.RETRY_RUN,
    Capability.ACKNOWLEDGE_RUN,
    Capability.CANCEL_OWN_RUN,
}
_MANAGER = _OPERATOR | {
    Capability.CANCEL_ANY_RUN,
    Capability.MANAGE_SCHEDULES,
    Capability.DELETE_BACKUP_SETS,
    Capability.MANAGE_CONNECTIONS,
    Capability.RESTORE,
    Capability.PRUNE_RUNS,
}
_OWNER = _MANAGER | {
    Capability.MANAGE_TENANTS,
    Capability.MANAGE_MEMBERS,
    Capability.MANAGE_WORKSPACE,
}

ROLE_CAPABILITIES: dict[str, frozenset[Capability]] = {
    Role.READER: _READER,
    Role.OPERATOR: _OPERATOR,
    Role.MANAGER: _MANAGER,
    Role.OWNER: _OWNER,
}


def capabilities_of(user: User | AnonymousUser, workspace: Workspace) -> frozenset[Capability]:
    """All that this person may do in this workspace; nothing for strangers and inactive users."""
    from tenancy.models import Membership

    if not (user.is_authenticated and user.is_active):
        return frozenset()
    role = (
        Membership.objects.filter(user_id=user.pk, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )
    return ROLE_CAPABILITIES.get(role or "", frozenset())


def has_capability(
    user: User | AnonymousUser, workspace: Workspace, capability: Capability
) -> bool:
    """Whether this person may do this here."""
    return capability in capabilities_of(user, workspace)


def require_capability(
    user: User | AnonymousUser, workspace: Workspace, capability: Capability
) -> None:
    """Let a permitted person pass.

    Raises:
        PermissionDenied: the person's role here does not include the capability.
    """
    if not has_capability(user, workspace, capability):
        wanted = capability.replace("_", " ")
        raise PermissionDenied(f"Your role in {workspace.name} does not include “{wanted}”.")
