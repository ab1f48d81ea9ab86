"""What a person does with a tenant, a workspace and its members. Pages are thin doors to these."""

from __future__ import annotations

import logging

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from tenancy.capabilities import Role
from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace

log = logging.getLogger(__name__)


@transaction.atomic
def save_tenant(tenant: Tenant) -> Tenant:
    """Store a new or changed tenant, checked.

    Raises:
        ValidationError: a field has a value that cannot be, or the workspace has the tenant
            already; nothing was stored.
    """
    tenant.full_clean()
    tenant.save()
    return tenant


def suspend(tenant: Tenant) -> None:
    """Let nothing run on the tenant any more; what is running ends as it would have."""
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.SUSPENDED)


def resume(tenant: Tenant) -> None:
    """Let operations run on the tenant again."""
    Tenant.objects.filter(pk=tenant.pk).update(status=TenantStatus.ACTIVE)


def save_workspace(workspace: Workspace) -> None:
    """Store what was changed of a workspace, checked; its address stays.

    Raises:
        ValidationError: a field has a value that cannot be; nothing was stored.
    """
    workspace.full_clean()
    workspace.save(update_fields=["name", "timezone", "restores_need_approval"])


@transaction.atomic
def add_member(workspace: Workspace, login: str, role: Role, *, by: User) -> Membership:
    """Let somebody with an account into a workspace; `login` is the username or the email.

    Raises:
        ValidationError: no active account has that login, several do, or it is a member already.
    """
    accounts = User.objects.filter(Q(username=login) | Q(email__iexact=login), is_active=True)
    found = list(accounts[:2])
    if len(found) != 1:
        several = "Several accounts have" if found else "No active account has"
        raise ValidationError(f"{several} this username or email. Staff make accounts.")
    made, is_new = Membership.objects.get_or_create(
        user=found[0], workspace=workspace, defaults={"role": role}
    )
    if not is_new:
        raise ValidationError(f"{found[0]} is a member already.")
    log.info("workspace %s: %s made %s %s", workspace.slug, by, found[0], role)
    return made


@transaction.atomic
def change_role(membership: Membership, role: Role, *, by: User) -> None:
    """Give a member another role.

    Raises:
        ValidationError: it is the last owner, without whom nobody could undo it.
    """
    _keep_an_owner(membership, role)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    log.info("workspace %s: %s made %s %s", membership.workspace.slug, by, membership.user, role)


@transaction.atomic
def remove_member(membership: Membership, *, by: User) -> None:
    """Take somebody out of a workspace; what that person did stays on record.

    Raises:
        ValidationError: it is the last owner.
    """
    _keep_an_owner(membership)
    Membership.objects.filter(pk=membership.pk).delete()
    log.info("workspace %s: %s removed %s", membership.workspace.slug, by, membership.user)


def _keep_an_owner(membership: Membership, role: Role | None = None) -> None:
    """Two owners who remove each other at the same moment do so one after the other."""
    Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    owners = Membership.objects.filter(
        workspace=membership.workspace_id, role=Role.OWNER, user__is_active=True
    )
    if role != Role.OWNER and not owners.exclude(pk=membership.pk).exists():
        raise ValidationError("A workspace keeps at least one owner: make somebody else one first.")
