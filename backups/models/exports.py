"""Archives of policies that can be downloaded for a limited time."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from operations.models import OperationRun
from tenancy.clock import request_now
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet


class PolicyExport(models.Model):
    """An archive of policies that can be downloaded until it expires."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    operation_run = models.OneToOneField(
        OperationRun,
        on_delete=models.SET_NULL,
        related_name="policy_export",
        null=True,
        blank=True,
    )
    file_name = models.CharField(max_length=200)
    #: The ZIP file; null after it has expired.
    archive = models.BinaryField(null=True)
    size = models.PositiveIntegerField()
    sha256 = models.CharField("SHA-256", max_length=64)
    item_count = models.PositiveIntegerField()
    incomplete_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    objects = WorkspaceScopedQuerySet["PolicyExport"].as_manager()

    class Meta:
        db_table = "policy_exports"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="exports_ws"),
            models.Index(
                fields=("expires_at",),
                name="exports_expiring",
                condition=models.Q(archive__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.file_name

    def get_absolute_url(self) -> str:
        return reverse("export_download", args=[self.workspace.slug, self.pk])

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= request_now()
