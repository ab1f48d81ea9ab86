"""Gives, changes and ends the memberships that groups give."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.group_roles.models import GroupMembership, GroupRole
from tenancy import services as tenancy
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Role

log = logging.getLogger(__name__)

NO_LONGER_IN_GROUP = "No longer in a group that gives a role"


def groups_of(claims: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the groups that a token names; None if there are too many for the token.

    Microsoft Entra then refers to Graph instead (`_claim_names`), and the groups are unknown.
    """
    name = settings.OIDC_GROUPS_CLAIM
    elsewhere = claims.get("_claim_names")
    if claims.get("hasgroups") or (isinstance(elsewhere, dict) and name in elsewhere):
        return None
    groups = claims.get(name)
    if not isinstance(groups, list):
        return frozenset()
    return frozenset(group for group in groups if isinstance(group, str))


def gives_a_role(provider_id: str, claims: Mapping[str, Any]) -> bool:
    """Return whether one of the groups gives a role in a workspace."""
    return bool(_roles_by_workspace(provider_id, groups_of(claims) or frozenset()))


@transaction.atomic
def apply_groups(user: User, provider_id: str, claims: Mapping[str, Any]) -> None:
    """Make the memberships of the user follow the groups of the token.

    Only memberships that groups gave are changed or ended. A role that an owner gave stays.
    """
    groups = groups_of(claims)
    if groups is None:
        log.warning("%s is in too many groups: memberships stay as they are", user)
        return
    roles = _roles_by_workspace(provider_id, groups)
    memberships = Membership.objects.filter(user=user, group_membership__isnull=False)
    for membership in memberships.select_related("workspace", "user").order_by("workspace_id"):
        _follow(membership, roles.get(membership.workspace_id))
    missing = Workspace.objects.filter(pk__in=roles).exclude(memberships__user=user)
    for workspace in missing.order_by("pk"):
        membership = tenancy.admit(workspace, user, roles[workspace.pk], by=user)
        GroupMembership.objects.create(membership=membership)


def _follow(membership: Membership, role: Role | None) -> None:
    try:
        if role is None:
            tenancy.remove_member(membership, by=membership.user, reason=NO_LONGER_IN_GROUP)
        elif role != membership.role:
            tenancy.change_role(membership, role, by=membership.user)
    except ValidationError as error:
        # The last owner stays; the log says so until there is another one.
        log.warning("%s: the groups of the user are not applied: %s", membership, error.messages[0])


def _roles_by_workspace(provider_id: str, groups: frozenset[str]) -> dict[int, Role]:
    """Return the highest role that the groups give, by workspace."""
    order = list(Role.values)
    matches = GroupRole.objects.filter(provider=provider_id, group__in=groups)
    roles: dict[int, Role] = {}
    for match in sorted(matches, key=lambda match: order.index(match.role)):
        roles[match.workspace_id] = Role(match.role)
    return roles
