"""`visible_to`: the one way in which a page finds rows that belong to a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.db import models

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from tenancy.models import User

M = TypeVar("M", bound=models.Model)


class WorkspaceScopedQuerySet(models.QuerySet[M]):
    """For models with a `workspace` foreign key."""

    #: The path from this model to its workspace's id.
    workspace_path = "workspace_id"

    def visible_to(self, user: User | AnonymousUser) -> Self:
        """The rows of the workspaces this person is a member of; none for the inactive."""
        from tenancy.models import Membership

        if not (user.is_authenticated and user.is_active):
            return self.none()
        mine = Membership.objects.filter(user_id=user.pk).values("workspace_id")
        condition: dict[str, Any] = {f"{self.workspace_path}__in": mine}
        return self.filter(**condition)
