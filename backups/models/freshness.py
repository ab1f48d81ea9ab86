"""The newest backups of each tenant, which the freshness of all tenants is read from."""

from __future__ import annotations

from django.db import models

from backups.models.sets import SetStatus
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet


class TenantFreshness(models.Model):
    """When the last complete backup of a tenant ended, and the status of its latest set.

    Triggers write it when a set ends or is deleted, and the database deletes it with its tenant. A
    tenant without a finished set may have no row.
    """

    tenant = models.OneToOneField(
        Tenant,
        on_delete=models.DO_NOTHING,
        primary_key=True,
        related_name="backup_freshness",
        db_constraint=False,
    )
    workspace = models.ForeignKey(
        Workspace,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    last_complete_at = models.DateTimeField(null=True, blank=True)
    #: Of the set that started last, whether it is complete or not; empty if there is none.
    latest_status = models.CharField(
        max_length=16, choices=SetStatus.choices, default="", db_default="", blank=True
    )

    objects = WorkspaceScopedQuerySet["TenantFreshness"].as_manager()

    class Meta:
        db_table = "backup_freshness"
        verbose_name = "freshness of a tenant"
        verbose_name_plural = "freshness of tenants"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.tenant}"
