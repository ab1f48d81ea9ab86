"""The scheduled backups of past days, counted once for the trend on the overview."""

from __future__ import annotations

from django.db import models

from tenancy.models import Workspace


class BackupDay(models.Model):
    """How the scheduled backups of one day ended; the day is one of the workspace's time zone.

    `backups.trend` counts a day after its end, so that no page reads a month of runs.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="backup_days", db_index=False
    )
    day = models.DateField()
    #: The number of runs by outcome.
    counts = models.JSONField(default=dict)

    objects = models.Manager["BackupDay"]()

    class Meta:
        db_table = "backup_days"
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("workspace", "day"), name="backup_days_once"),
        )

    def __str__(self) -> str:
        return f"{self.day}"
