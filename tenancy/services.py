"""The write operations on tenants, workspaces, members and accounts, for pages and admin."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from axes.utils import reset
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import PROTECT, ManyToOneRel, ProtectedError, QuerySet

from redaction.text import sanitize_text
from tenancy.db import database_now, record_reason
from tenancy.models import Membership, Tenant, TenantStatus, User, Workspace
from tenancy.roles import Role
from tenancy.signals import sign_in_unlocked, tenant_status_changed
from web.names import validate_name

log = logging.getLogger(__name__)

MAX_REASON = 300
REASON_NEEDED = f"Enter a reason of at most {MAX_REASON} characters."


@transaction.atomic
def save_tenant(tenant: Tenant) -> Tenant:
    """Validate and save a new or changed tenant.

    Raises:
        ValidationError: a field is invalid, or the workspace already has the tenant.
    """
    tenant.full_clean()
    tenant.save()
    return tenant


def suspend(tenant: Tenant, *, by: User, reason: str) -> bool:
    """Stop new runs on the tenant; active runs continue. Return whether this call did it.

    Raises:
        ValidationError: the reason is empty or too long.
    """
    return change_status(tenant, TenantStatus.SUSPENDED, by=by, reason=clean_reason(reason))


def archive(tenant: Tenant, *, by: User, reason: str) -> bool:
    """Hide the tenant from lists, stop its schedules and new runs; active runs continue.

    Returns:
        Whether this call did it.

    Raises:
        ValidationError: the reason is empty or too long.
    """
    return change_status(tenant, TenantStatus.ARCHIVED, by=by, reason=clean_reason(reason))


def resume(tenant: Tenant, *, by: User) -> bool:
    """Allow new runs on a suspended or archived tenant again; return whether this call did it."""
    return change_status(tenant, TenantStatus.ACTIVE, by=by, reason="")


@transaction.atomic
def change_status(tenant: Tenant, status: TenantStatus, *, by: User, reason: str) -> bool:
    """Change the status of a tenant; return False if it has the status already."""
    locked = Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)
    before = TenantStatus(locked.status)
    if before == status:
        return False
    locked.status = status
    locked.status_reason = reason
    locked.status_changed_at = database_now()
    locked.status_changed_by_name = by.get_username()
    locked.save()
    tenant_status_changed.send(change_status, tenant=locked, before=before, by=by)
    log.info("tenant %s: %s changed the status to %s", tenant.pk, by, status)
    return True


def clean_reason(text: str) -> str:
    """Return the reason that a user entered for a change.

    Raises:
        ValidationError: it is empty, too long, or has invisible characters.
    """
    validate_name(text)  # sanitizing removes invisible characters
    reason = sanitize_text(text, max_length=MAX_REASON + 1).strip()
    if not reason or len(reason) > MAX_REASON:
        raise ValidationError(REASON_NEEDED)
    return reason


def save_workspace(workspace: Workspace) -> None:
    """Validate and save a new or changed workspace; the slug of an existing one is not changed.

    The approval of restores is switched on here, and off in `tenancy.approval_off`.

    Raises:
        ValidationError: a field is invalid.
    """
    workspace.full_clean()
    if workspace.pk:
        fields = ["name", "timezone", "requires_second_factor"]
        if workspace.restores_need_approval:
            fields.append("restores_need_approval")
        workspace.save(update_fields=fields)
    else:
        workspace.save()


@transaction.atomic
def create_workspace(workspace: Workspace, *, owner: User) -> None:
    """Save a new workspace with its first owner.

    Raises:
        ValidationError: a field is invalid, or another workspace has the slug.
    """
    try:
        with transaction.atomic():
            save_workspace(workspace)
    except IntegrityError:
        raise ValidationError("Another workspace has this name in addresses.") from None
    admit(workspace, owner, Role.OWNER, by=owner)
    log.info("workspace %s: created by %s", workspace.slug, owner)


def used_by(row: Workspace | Tenant) -> Iterator[str]:
    """Yield the plural name of each kind of data because of which a row cannot be deleted."""
    for relation in row._meta.get_fields(include_hidden=True):  # noqa: SLF001 - documented
        if not isinstance(relation, ManyToOneRel) or relation.on_delete is not PROTECT:
            continue
        rows: QuerySet[Any] = relation.related_model._base_manager.all()  # noqa: SLF001
        if rows.filter(**{relation.field.name: row}).exists():
            yield str(rows.model._meta.verbose_name_plural)  # noqa: SLF001


@transaction.atomic
def remove_unused(row: Workspace | Tenant, *, by: User) -> None:
    """Delete a workspace or tenant that was created by mistake.

    Raises:
        ValidationError: other data belongs to it.
    """
    name = str(row)
    refusal = ValidationError(f"{name} can't be deleted because it has been used.")
    # Django would load all rows that belong to it before it refuses.
    if any(used_by(row)):
        raise refusal
    try:
        row.delete()
    except ProtectedError:
        raise refusal from None
    log.info("%s: unused, deleted by %s", name, by)


@transaction.atomic
def admit(workspace: Workspace, user: User, role: Role, *, by: User) -> Membership:
    """Add a user to a workspace.

    Raises:
        ValidationError: the user is already a member.
    """
    membership, is_new = Membership.objects.get_or_create(
        user=user, workspace=workspace, defaults={"role": role}
    )
    if not is_new:
        raise ValidationError(f"{user} is already a member.")
    log.info("workspace %s: %s added %s as %s", workspace.slug, by, user, role)
    return membership


@transaction.atomic
def change_role(membership: Membership, role: Role, *, by: User) -> None:
    """Change the role of a member.

    Raises:
        ValidationError: the member is the last owner.
    """
    keep_an_owner(membership, role)
    Membership.objects.filter(pk=membership.pk).update(role=role)
    workspace, user = membership.workspace, membership.user
    log.info("workspace %s: %s changed the role of %s to %s", workspace.slug, by, user, role)


@transaction.atomic
def remove_member(membership: Membership, *, by: User, reason: str) -> None:
    """Remove a member from a workspace; the member's runs and events stay.

    Raises:
        ValidationError: the reason is empty or too long, or the member is the last owner.
    """
    record_reason(clean_reason(reason))
    keep_an_owner(membership)
    Membership.objects.filter(pk=membership.pk).delete()
    log.info("workspace %s: %s removed %s", membership.workspace.slug, by, membership.user)


@transaction.atomic
def remove_account(user: User, *, by: User) -> None:
    """Delete an account; its runs and events stay, under the same name.

    Raises:
        ValidationError: the user is the last owner of a workspace; the account can be deactivated.
    """
    for membership in user.memberships.order_by("workspace_id"):
        keep_an_owner(membership)
    name = str(user)
    user.delete()
    log.info("%s deleted the account %s", by, name)


def without_owner() -> QuerySet[Workspace]:
    """Return the workspaces without an owner who can sign in."""
    owners = Membership.objects.filter(role=Role.OWNER, user__is_active=True)
    return Workspace.objects.exclude(pk__in=owners.values("workspace"))


def unlock(username: str, ip_address: str, *, by: User) -> None:
    """Unlock the sign-in of a user who entered too many wrong passwords."""
    reset(username=username, ip=ip_address)
    sign_in_unlocked.send(unlock, username=username, ip_address=ip_address)
    log.info("%s unlocked %s from %s", by, username, ip_address)


def keep_an_owner(membership: Membership, role: Role | None = None) -> None:
    """Check that the workspace has another owner before this membership changes or is removed.

    It locks the workspace, so that two owners cannot remove each other at the same time. Rows that
    refer to the workspace can still be added.

    Raises:
        ValidationError: the workspace would have no owner.
    """
    Workspace.objects.select_for_update(no_key=True).get(pk=membership.workspace_id)
    owners = membership.workspace.active_owners()
    if role != Role.OWNER and set(owners.values_list("pk", flat=True)) == {membership.pk}:
        raise ValidationError(
            "A workspace needs at least one owner. Give another member the role Owner first."
        )
