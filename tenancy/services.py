"""What a person does with a tenant, a workspace and its members. Pages are thin doors to these."""

from __future__ import annotations

import logging

from axes.utils import reset
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError, Q, QuerySet

from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace
from tenancy.roles import Role

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
    """Store a new workspace, or what was changed of one, checked; its address stays.

    Raises:
        ValidationError: a field has a value that cannot be; nothing was stored.
    """
    workspace.full_clean()
    fields = ["name", "timezone", "restores_need_approval"]
    workspace.save(update_fields=fields if workspace.pk else None)


@transaction.atomic
def remove_unused(thing: Workspace | Tenant, *, by: User) -> None:
    """Delete a workspace or tenant that was made by mistake.

    Raises:
        ValidationError: something belongs to it: that stays on record, and so does it.
    """
    name = str(thing)
    try:
        thing.delete()
    except ProtectedError:
        raise ValidationError(f"{name} has been used: what happened stays on record.") from None
    log.info("%s: %s removed it unused", name, by)


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
    return admit(workspace, found[0], role, by=by)


@transaction.atomic
def admit(workspace: Workspace, user: User, role: Role, *, by: User) -> Membership:
    """Let an account into a workspace.

    Raises:
        ValidationError: it is a member already.
    """
    made, is_new = Membership.objects.get_or_create(
        user=user, workspace=workspace, defaults={"role": role}
    )
    if not is_new:
        raise ValidationError(f"{user} is a member already.")
    log.info("workspace %s: %s made %s %s", workspace.slug, by, user, role)
    return made


@transaction.atomic
def change_role(membership: Membership, role: Role, *, by: User) -> None:
    """Give a member another role.

    Raises:
        ValidationError: it is the last owner, without whom nobody could undo it.
    """
    keep_an_owner(membership, role)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    log.info("workspace %s: %s made %s %s", membership.workspace.slug, by, membership.user, role)


@transaction.atomic
def remove_member(membership: Membership, *, by: User) -> None:
    """Take somebody out of a workspace; what that person did stays on record.

    Raises:
        ValidationError: it is the last owner.
    """
    keep_an_owner(membership)
    Membership.objects.filter(pk=membership.pk).delete()
    log.info("workspace %s: %s removed %s", membership.workspace.slug, by, membership.user)


@transaction.atomic
def remove_account(user: User, *, by: User) -> None:
    """Delete an account; what the person did stays on record, under the name it had.

    Raises:
        ValidationError: it is the last owner of a workspace; it can be closed all the same.
    """
    for membership in user.memberships.order_by("workspace_id"):
        keep_an_owner(membership)
    name = str(user)
    user.delete()
    log.info("%s deleted the account %s", by, name)


def without_owner() -> QuerySet[Workspace]:
    """The workspaces that nobody who can sign in owns."""
    owners = Membership.objects.filter(role=Role.OWNER, user__is_active=True)
    return Workspace.objects.exclude(pk__in=owners.values("workspace"))


def unlock(username: str, ip_address: str, *, by: User) -> None:
    """Let somebody who was locked out for wrong passwords sign in again at once."""
    reset(username=username, ip=ip_address)
    log.info("%s unlocked %s from %s", by, username, ip_address)


def keep_an_owner(membership: Membership, role: Role | None = None) -> None:
    """See that a workspace keeps an owner when this membership gets another role, or goes.

    Two owners who remove each other at the same moment do so one after the other.

    Raises:
        ValidationError: it would have none.
    """
    Workspace.objects.select_for_update().get(pk=membership.workspace_id)
    owners = Membership.objects.filter(
        workspace=membership.workspace_id, role=Role.OWNER, user__is_active=True
    )
    if role != Role.OWNER and set(owners.values_list("pk", flat=True)) == {membership.pk}:
        raise ValidationError("A workspace keeps at least one owner: make somebody else one first.")
