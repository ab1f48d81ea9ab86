"""`visible_to`, with which every page selects the rows of the user's workspaces."""

from __future__ import annotations

from typing import Any, Self, TypeVar, cast

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db import models

M = TypeVar("M", bound=models.Model)


class WorkspaceScopedQuerySet(models.QuerySet[M]):
    """The query set of models with a `workspace` foreign key."""

    #: The lookup path from this model to the id of its workspace.
    workspace_path = "workspace_id"

    def visible_to(self, user: AbstractUser | AnonymousUser) -> Self:
        """Return the rows of the workspaces of which the user is a member; none if inactive."""
        if not (user.is_authenticated and user.is_active):
            return self.none()
        # Only `tenancy.models.User` has this relation, and the models import this module.
        memberships = cast("Any", user).memberships
        condition = {f"{self.workspace_path}__in": memberships.values("workspace_id")}
        return self.filter(**condition)
