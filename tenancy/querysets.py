"""`visible_to`, with which every page selects the rows of the user's workspaces."""

from __future__ import annotations

from typing import Any, Self, TypeVar, cast

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.db import models

M = TypeVar("M", bound=models.Model)


class CappedCount(models.Subquery):
    """The number of rows of a query that is limited to as many as are worth counting."""

    template = "(SELECT count(*) FROM (%(subquery)s) capped)"
    output_field = models.IntegerField()


class OrderedCount(models.Subquery):
    """The number of rows of an ordered query, up to a limit.

    The planner does not know the limit, so that it expects to stop early and reads the index of the
    order. It expects too many rows of a tenant that need attention, and with a limit that it knows,
    it would read all runs of the tenant from another index to exclude some.
    """

    template = "(SELECT count(*) FROM (%(subquery)s LIMIT (SELECT %(limit)s)) capped)"
    output_field = models.IntegerField()

    def __init__(self, rows: models.QuerySet[Any, Any], *, limit: int) -> None:
        super().__init__(rows.values("pk"), limit=limit)


class WorkspaceScopedQuerySet(models.QuerySet[M]):
    """The query set of models with a `workspace` foreign key."""

    #: The lookup path from this model to the id of its workspace.
    workspace_path = "workspace_id"

    def visible_to(self, user: AbstractUser | AnonymousUser) -> Self:
        """Return the rows of the workspaces of which the user is a member; none if inactive.

        Staff also see those to which they have support access (`tenancy.support_access`). A user who
        is known by an access token sees the workspace of the token only.
        """
        if not (user.is_authenticated and user.is_active):
            return self.none()
        # Only `tenancy.models.User` has these relations, and the models import this module.
        person = cast("Any", user)
        workspaces = person.memberships.order_by().values("workspace_id")
        if person.limit is not None:
            workspaces = workspaces.filter(workspace_id=person.limit.workspace_id)
        elif user.is_staff:
            accesses = person.support_accesses.active().order_by().values("workspace_id")
            workspaces = workspaces.union(accesses)
        return self.filter(**{f"{self.workspace_path}__in": workspaces})
