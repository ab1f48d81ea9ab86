"""The capabilities of a user in a workspace, by the table in `tenancy.roles`."""

from __future__ import annotations

import datetime as dt

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Now

from tenancy.models import Membership, User, Workspace
from tenancy.roles import ROLE_CAPABILITIES, Capability, roles_with
from tenancy.support_access import has_access

#: For so long after joining or getting a higher role, a member cannot approve what another one does:
#: otherwise an owner would invite a second account and approve with it.
NEW_ROLE = dt.timedelta(hours=24)


def capabilities_of(user: User | AnonymousUser, workspace: Workspace) -> frozenset[Capability]:
    """Return the capabilities of the user; none for non-members and inactive users.

    Support access (`tenancy.support_access`) is `VIEW` and nothing else. For the workspace of a page,
    the role was read with it. An access token leaves those that its own role has too.
    """
    if not (user.is_authenticated and user.is_active):
        return frozenset()
    if workspace.viewer_id == user.pk and user.limit is None:
        role = workspace.viewer_role
        return capabilities_of_role(role) if role else frozenset({Capability.VIEW})
    role = (
        Membership.objects.filter(user_id=user.pk, workspace=workspace)
        .values_list("role", flat=True)
        .first()
    )
    if user.limit is not None:
        return capabilities_of_role(role) & user.limit.capabilities_in(workspace.pk)
    if role is None and has_access(user, workspace):
        return frozenset({Capability.VIEW})
    return capabilities_of_role(role)


def role_in(user: User, workspace: str = "workspace_id") -> Subquery:
    """Return the role of the user in the workspace of each row of a query, for `annotate`.

    `capabilities_of_role` takes it, which saves a page a query. It is NULL for a member of the
    support staff, who may only view.
    """
    memberships = Membership.objects.filter(user_id=user.pk, workspace_id=OuterRef(workspace))
    if user.limit is None:
        return Subquery(memberships.values("role")[:1])
    lower = user.limit.lower_role("role")
    memberships = memberships.filter(workspace_id=user.limit.workspace_id)
    return Subquery(memberships.values(limited_role=lower)[:1])


def capabilities_of_role(role: str | None) -> frozenset[Capability]:
    """Return the capabilities of a role; none without one."""
    return ROLE_CAPABILITIES.get(role or "", frozenset())


def has_capability(
    user: User | AnonymousUser, workspace: Workspace, capability: Capability
) -> bool:
    """Return whether the user has the capability in the workspace."""
    return capability in capabilities_of(user, workspace)


def may_approve(user: User, workspace: Workspace, capability: Capability) -> bool:
    """Return whether the user has had the capability long enough to approve what another member does.

    The triggers of approvals decide the same. An access token never approves: it is no second person.
    """
    if user.limit is not None:
        return False
    memberships = Membership.objects.filter(
        user=user, workspace=workspace, role__in=roles_with(capability)
    )
    members = memberships.of_persons().filter(user__is_active=True)
    return members.filter(role_since__lte=Now() - NEW_ROLE).exists()


def require_capability(
    user: User | AnonymousUser, workspace: Workspace, capability: Capability
) -> None:
    """Check that the user has the capability in the workspace.

    Raises:
        PermissionDenied: the user's role does not include the capability.
    """
    if not has_capability(user, workspace, capability):
        is_token = isinstance(user, User) and user.limit is not None
        role = "The role of the token" if is_token else f"Your role in {workspace.name}"
        name = capability.replace("_", " ")
        raise PermissionDenied(f"{role} does not include “{name}”.")
