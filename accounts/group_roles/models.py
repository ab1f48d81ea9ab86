"""Which group of an identity provider gives which role in a workspace."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.identity_providers import ENTRA, OIDC
from tenancy.models import Membership, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Role


class GroupRole(models.Model):
    """A group whose users become members with a role when they sign in."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="group_roles")
    provider = models.CharField(
        max_length=10, choices=[(ENTRA, "Microsoft"), (OIDC, "Single sign-on")]
    )
    #: What the provider calls the group in its tokens: an object id in Microsoft Entra.
    group = models.CharField(max_length=200)
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.READER)

    objects = WorkspaceScopedQuerySet["GroupRole"].as_manager()

    class Meta:
        db_table = "group_roles"
        ordering = ("workspace", "provider", "group")
        constraints = (
            models.UniqueConstraint(
                "workspace", "provider", "group", name="group_roles_one_role_of_a_group"
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="group_roles_role_known"
            ),
        )

    def __str__(self) -> str:
        return self.group


class GroupMembership(models.Model):
    """Marks a membership that groups gave: it follows the groups, and ends with them."""

    membership = models.OneToOneField(
        Membership, on_delete=models.CASCADE, primary_key=True, related_name="group_membership"
    )

    class Meta:
        db_table = "group_memberships"

    def __str__(self) -> str:
        return str(self.membership)
