"""How old the last complete backup may be: of a workspace, and of single tenants."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models.functions import Now

from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet

#: The objective of a workspace that has not set one.
DEFAULT_HOURS = 24
MAX_HOURS = 366 * 24


def objective_is_possible(column: str) -> models.Q:
    """The condition of a column with an objective in hours."""
    return models.Q(**{f"{column}__gte": 1, f"{column}__lte": MAX_HOURS})


class BackupObjective(models.Model):
    """The objective of one tenant; without a tenant, that of the workspace.

    A schedule has its own in `BackupSchedule.objective_hours`. `backups.freshness` judges by them.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="backup_objectives"
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        related_name="backup_objectives",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    hours = models.PositiveIntegerField()
    updated_at = models.DateTimeField(db_default=Now())

    objects = WorkspaceScopedQuerySet["BackupObjective"].as_manager()

    class Meta:
        db_table = "backup_objectives"
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("workspace",),
                condition=models.Q(tenant=None),
                name="objectives_one_per_workspace",
            ),
            models.UniqueConstraint(fields=("tenant",), name="objectives_one_per_tenant"),
            models.CheckConstraint(
                condition=objective_is_possible("hours"), name="objectives_possible"
            ),
        )

    def __str__(self) -> str:
        return f"{self.hours} h"

    @property
    def duration(self) -> dt.timedelta:
        return dt.timedelta(hours=self.hours)
