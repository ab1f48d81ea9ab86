"""Legacy runs: the runs of an older installation, which only the import writes.

The database rejects every other write (migration 0002); the model methods reject it earlier, with a
helpful message. A row keeps its id, so that old links still work. `operation_run` is the canonical
run that it is mapped to. Retention clears it with the run; `was_operation_run_id` keeps the id.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar, Never, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.urls import reverse

from legacy_runs.statuses import state_of
from operations.models import OperationRun
from operations.presentation.summary import State
from operations.types import OperationRunType
from tenancy.models import Tenant, User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet

M = TypeVar("M", bound=models.Model)

#: Lists of several tables have ids of the form 4 * row id + table number; they must fit a bigint.
MAX_ID = 2**61 - 1
#: Legacy runs were created at or after the first and before the last time.
FIRST_TIME = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LAST_TIME = dt.datetime(2200, 1, 1, tzinfo=dt.UTC)


class LegacyRunsAreReadOnly(TypeError):
    """A write to a legacy run was attempted outside `manage.py import_legacy_runs`."""

    def __init__(self, *_: object) -> None:
        super().__init__("Legacy runs are read-only. Only manage.py import_legacy_runs adds them.")


def _reject_write(*_args: object, **_options: object) -> Never:
    raise LegacyRunsAreReadOnly


class ReadOnlyQuerySet(WorkspaceScopedQuerySet[M]):
    """Rows that the methods of this class never write."""

    create = bulk_create = bulk_update = update = delete = _reject_write
    get_or_create = update_or_create = _reject_write

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant")

    def without_a_run(self) -> Self:
        """Return only rows that have no canonical run."""
        return self.filter(operation_run_id=None)


class LegacyRun(models.Model):
    """The common columns and behavior of the three tables."""

    #: The name of the kind in URLs and filters, its label, and the labels of its statuses.
    KIND: ClassVar[str]
    LABEL: ClassVar[str]
    STATUSES: ClassVar[dict[str, str]]
    #: The operation types of canonical runs that a row of this kind can be mapped to.
    RUN_TYPES: ClassVar[tuple[OperationRunType, ...]]
    #: Lists contain runs as well; templates use this to distinguish them.
    is_legacy = True

    id = models.BigIntegerField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    # The migration creates the foreign key, with ON DELETE SET NULL.
    operation_run = models.ForeignKey(
        OperationRun,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_constraint=False,
        null=True,
        blank=True,
    )
    operation_run_id: int | None
    was_operation_run_id = models.BigIntegerField(null=True, blank=True)
    status = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        default_permissions = ("view",)
        ordering = ("-created_at", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(id__gte=0, id__lte=MAX_ID), name="%(class)s_id_range"
            ),
            models.CheckConstraint(
                condition=Q(created_at__gte=FIRST_TIME, created_at__lt=LAST_TIME),
                name="%(class)s_created_at_range",
            ),
        )

    def __str__(self) -> str:
        return f"{self.LABEL} {self.pk}"

    def save(self, *_args: Any, **_options: Any) -> None:
        raise LegacyRunsAreReadOnly

    def get_absolute_url(self) -> str:
        return reverse(f"legacy_{self.KIND}", args=[self.pk])

    def delete(self, *_args: Any, **_options: Any) -> Never:
        raise LegacyRunsAreReadOnly

    @property
    def status_label(self) -> str:
        """The label of the status; an unknown status is shown unchanged."""
        return self.STATUSES.get(self.status, self.status)

    @property
    def state(self) -> State:
        """The badge of the status."""
        return state_of(self.status, self.status_label)

    @property
    def duration(self) -> dt.timedelta | None:
        """The time from start to end, or None if the older system did not record both."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    @property
    def was_pruned(self) -> bool:
        """Whether it had a canonical run that retention has removed."""
        return self.operation_run_id is None and self.was_operation_run_id is not None


class InventorySyncRun(LegacyRun):
    """A sync of a tenant's inventory."""

    KIND = "inventory_sync_run"
    LABEL = "Inventory sync"
    RUN_TYPES = (OperationRunType.INVENTORY_SYNC,)
    STATUSES = {
        "pending": "Pending",
        "running": "Running",
        "success": "Success",
        "partial": "Partial",
        "failed": "Failed",
        "skipped": "Skipped",
    }

    selection_hash = models.CharField(max_length=64)
    selection_payload = models.JSONField(null=True, blank=True)
    items_observed_count = models.PositiveBigIntegerField(default=0)
    items_upserted_count = models.PositiveBigIntegerField(default=0)
    errors_count = models.PositiveBigIntegerField(default=0)

    objects = ReadOnlyQuerySet["InventorySyncRun"].as_manager()

    class Meta(LegacyRun.Meta):
        db_table = "inventory_sync_runs"
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="legacy_inv_ws"),
            models.Index(fields=("tenant", "created_at", "id"), name="legacy_inv_tenant"),
        )


class EntraGroupSyncRun(LegacyRun):
    """A sync of a tenant's groups."""

    KIND = "entra_group_sync_run"
    LABEL = "Group sync"
    RUN_TYPES = (OperationRunType.DIRECTORY_GROUPS_SYNC,)
    STATUSES = {
        "pending": "Pending",
        "running": "Running",
        "succeeded": "Succeeded",
        "failed": "Failed",
        "partial": "Partial",
    }

    selection_key = models.CharField(max_length=200)
    slot_key = models.CharField(max_length=200, default="", blank=True)
    error_code = models.CharField(max_length=200, default="", blank=True)
    error_category = models.CharField(max_length=200, default="", blank=True)
    error_summary = models.CharField(max_length=2000, default="", blank=True)
    pages_fetched = models.PositiveBigIntegerField(default=0)
    items_observed_count = models.PositiveBigIntegerField(default=0)
    items_upserted_count = models.PositiveBigIntegerField(default=0)
    error_count = models.PositiveBigIntegerField(default=0)

    objects = ReadOnlyQuerySet["EntraGroupSyncRun"].as_manager()

    class Meta(LegacyRun.Meta):
        db_table = "entra_group_sync_runs"
        verbose_name = "Entra group sync run"
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="legacy_grp_ws"),
            models.Index(fields=("tenant", "created_at", "id"), name="legacy_grp_tenant"),
        )


class BackupScheduleRun(LegacyRun):
    """One execution of a backup schedule of the older system."""

    KIND = "backup_schedule_run"
    LABEL = "Schedule run"
    RUN_TYPES = (
        OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
        OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
        OperationRunType.BACKUP_SCHEDULE_RETRY,
    )
    STATUSES = {
        "pending": "Pending",
        "running": "Running",
        "success": "Success",
        "partial": "Completed with errors",
        "failed": "Failed",
        "canceled": "Cancelled",
        "skipped": "Skipped",
    }

    backup_schedule_id = models.BigIntegerField()
    scheduled_for = models.DateTimeField()
    summary = models.JSONField(null=True, blank=True)
    error_code = models.CharField(max_length=200, default="", blank=True)
    error_message = models.CharField(max_length=2000, default="", blank=True)
    backup_set_id = models.BigIntegerField(null=True, blank=True)

    objects = ReadOnlyQuerySet["BackupScheduleRun"].as_manager()

    class Meta(LegacyRun.Meta):
        db_table = "backup_schedule_runs"
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="legacy_bsr_ws"),
            models.Index(fields=("tenant", "created_at", "id"), name="legacy_bsr_tenant"),
        )


#: The three models by kind.
TABLES: dict[str, type[LegacyRun]] = {
    model.KIND: model for model in (InventorySyncRun, EntraGroupSyncRun, BackupScheduleRun)
}


class Entry(models.Model):
    """An entry of a list of several tables. A database view unites them, so that they page as one.

    `id` is the row's id times four plus a table number: unique, and in the order of each table.
    """

    id = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=32)
    own_id = models.BigIntegerField()
    workspace = models.ForeignKey(Workspace, on_delete=models.DO_NOTHING, related_name="+")
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+", null=True)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=64)
    outcome = models.CharField(max_length=24)
    operation_run_id = models.BigIntegerField(null=True)
    was_operation_run_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        managed = False

    def __str__(self) -> str:
        return f"{self.kind} {self.own_id}"

    @property
    def is_legacy(self) -> bool:
        return self.kind in TABLES

    @property
    def url(self) -> str:
        """The address of its page, which redirects to the canonical run if there is one."""
        name = f"legacy_{self.kind}" if self.is_legacy else "run_detail"
        return reverse(name, args=[self.own_id])


class LegacyRunEntry(Entry):
    """An entry for a legacy run."""

    objects = ReadOnlyQuerySet["LegacyRunEntry"].as_manager()

    class Meta(Entry.Meta):
        db_table = "legacy_run_entries"


class RunEntry(Entry):
    """An entry for a run or a legacy run; fields that only runs have are empty for legacy runs."""

    user = models.ForeignKey(User, on_delete=models.DO_NOTHING, related_name="+", null=True)
    initiator_name = models.CharField(max_length=200)
    acknowledged_at = models.DateTimeField(null=True)

    objects = ReadOnlyQuerySet["RunEntry"].as_manager()

    class Meta(Entry.Meta):
        db_table = "run_entries"
