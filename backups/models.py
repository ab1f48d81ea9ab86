"""Schedules, and what their backups bring home: sets of items, each item a version of a policy.

An object is the same object when tenant, kind and Graph id are the same; its name says nothing.
Migration 0002 adds what the constraints here cannot say.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from backups import kinds, slots
from operations.models import OperationRun
from operations.reasons import get_reason
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace, validate_timezone
from tenancy.querysets import WorkspaceScopedQuerySet

NAME_TAKEN = "This tenant has a schedule of that name already."


class MisfirePolicy(models.TextChoices):
    """What happens to a slot that could not fire on time."""

    FIRE_LATEST = "fire_latest", "Run the latest missed slot within the grace period"
    SKIP = "skip", "Skip missed slots"


class BackupScheduleQuerySet(WorkspaceScopedQuerySet["BackupSchedule"]):
    def with_scope(self) -> Self:
        """With the workspace, the tenant and its default connection."""
        defaults = ProviderConnection.objects.defaults().filter(tenant=models.OuterRef("tenant"))
        scoped = self.select_related("workspace", "tenant")
        return scoped.annotate(default_connection_id=models.Subquery(defaults.values("pk")[:1]))


class BackupSchedule(models.Model):
    """When a tenant is backed up, what of it, and how long that is kept.

    `next_run_at` is the nominal slot; the run starts `spread_seconds` later. Change a schedule with
    `backups.services`, which keeps both right.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="backup_schedules"
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="backup_schedules", db_constraint=False
    )
    name = models.CharField(max_length=200)
    cron = models.CharField(
        max_length=slots.MAX_LENGTH,
        validators=[slots.validate_cron],
        help_text="Minute, hour, day of month, month, day of week: 30 2 * * * is daily at 02:30.",
    )
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_timezone])
    kinds = ArrayField(models.CharField(max_length=64), validators=[kinds.validate_kinds])
    retention_keep_sets = models.PositiveIntegerField(
        "keep sets", default=30, help_text="The newest complete sets that are always kept."
    )
    retention_keep_days = models.PositiveIntegerField(
        "keep days", default=90, help_text="Sets younger than this are always kept."
    )
    misfire_policy = models.CharField(
        max_length=20, choices=MisfirePolicy.choices, default=MisfirePolicy.FIRE_LATEST
    )
    misfire_grace = models.DurationField(
        default=dt.timedelta(hours=12),
        help_text="The longest delay after which the latest missed slot still runs.",
    )
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    spread_seconds = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        editable=False,
    )
    pause_reason = models.CharField(max_length=300, blank=True, default="", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    #: The tenant's, where `with_scope` has looked it up.
    default_connection_id: int | None = None

    objects = BackupScheduleQuerySet.as_manager()

    class Meta:
        db_table = "backup_schedules"
        ordering = ("name", "id")
        indexes = (
            models.Index(
                fields=("next_run_at",),
                name="schedules_due",
                condition=models.Q(paused_at__isnull=True),
            ),
            models.Index(fields=("workspace", "name", "id"), name="schedules_ws_name"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "name"),
                name="schedules_name_once_per_tenant",
                violation_error_message=NAME_TAKEN,
            ),
            models.UniqueConstraint(fields=("id", "tenant"), name="schedules_id_tenant"),
            models.CheckConstraint(
                condition=models.Q(misfire_policy__in=MisfirePolicy.values),
                name="schedules_misfire_known",
            ),
            models.CheckConstraint(
                condition=models.Q(retention_keep_sets__gte=1, retention_keep_days__gte=1),
                name="schedules_keep_something",
            ),
            models.CheckConstraint(
                condition=models.Q(misfire_grace__gte=dt.timedelta()),
                name="schedules_grace_not_negative",
            ),
            models.CheckConstraint(
                condition=models.Q(kinds__len__gte=1), name="schedules_have_kinds"
            ),
            models.CheckConstraint(
                condition=models.Q(paused_at__isnull=True, next_run_at__isnull=False)
                & models.Q(pause_reason="", paused_by__isnull=True)
                | models.Q(paused_at__isnull=False, next_run_at__isnull=True)
                & ~models.Q(pause_reason=""),
                name="schedules_paused_or_due",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        if self.next_run_at is None and self.paused_at is None:
            self.start_from(timezone.now())
        super().save(*args, **options)

    def get_absolute_url(self) -> str:
        return reverse("schedule_detail", args=[self.workspace.slug, self.pk])

    def start_from(self, now: dt.datetime) -> None:
        """Make the first slot after `now` the next one; what came before it is not owed."""
        self.next_run_at = slots.next_slot(self.cron, self.timezone, now)
        key = f"{self.tenant_id}/{self.name}"
        self.spread_seconds = slots.spread(self.cron, self.timezone, key, now).seconds

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def spread(self) -> dt.timedelta:
        """How long after its slot the backup starts."""
        return dt.timedelta(seconds=self.spread_seconds)

    @property
    def in_words(self) -> str:
        """The cron expression in words."""
        return slots.describe(self.cron)

    @property
    def kind_labels(self) -> list[str]:
        return [kinds.label_of(kind) for kind in self.kinds]


class SetStatus(models.TextChoices):
    BUILDING = "building", "Building"
    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Incomplete"
    FAILED = "failed", "Failed"


class SetPurpose(models.TextChoices):
    """Why there is a set: a backup made it, or somebody collected policies in it."""

    SCHEDULE = "schedule", "Schedule"
    SELECTION = "selection", "Selection"


class BackupSetQuerySet(WorkspaceScopedQuerySet["BackupSet"]):
    def complete(self) -> Self:
        """Backups in which nothing is missing; a selection is not a backup of a tenant."""
        return self.filter(status=SetStatus.COMPLETE, purpose=SetPurpose.SCHEDULE)

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant", "schedule")


class BackupSet(models.Model):
    """What one backup brought home. Complete means: every kind to its end, every item whole.

    Items come in while it is building and never change afterwards. A selection is a set of
    policies that somebody collected under a name: it may be added to, by several runs.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="backup_sets", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="backup_sets",
        db_constraint=False,
        db_index=False,
    )
    schedule = models.ForeignKey(
        BackupSchedule, on_delete=models.SET_NULL, related_name="sets", null=True, blank=True
    )
    operation_run = models.OneToOneField(
        OperationRun,
        on_delete=models.SET_NULL,
        related_name="backup_set",
        null=True,
        blank=True,
    )
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, related_name="continued_by", null=True, blank=True
    )
    purpose = models.CharField(
        max_length=16,
        choices=SetPurpose.choices,
        default=SetPurpose.SCHEDULE,
        db_default=SetPurpose.SCHEDULE,
    )
    #: Of a selection; a backup has none.
    name = models.CharField(max_length=200, default="", db_default="", blank=True)
    status = models.CharField(max_length=16, choices=SetStatus.choices, default=SetStatus.BUILDING)
    #: What it is to hold; a kind that the tenant has no licence for is taken out.
    kinds = ArrayField(models.CharField(max_length=64))
    #: Those that were listed to their end.
    listed_kinds = ArrayField(models.CharField(max_length=64), default=list, db_default=[])
    #: Why a kind could not be listed: {kind: reason code}.
    unlisted = models.JSONField(default=dict, db_default={})
    item_count = models.PositiveIntegerField(default=0, db_default=0)
    incomplete_count = models.PositiveIntegerField(default=0, db_default=0)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BackupSetQuerySet.as_manager()

    class Meta:
        db_table = "backup_sets"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "started_at", "id"), name="sets_ws"),
            models.Index(fields=("tenant", "started_at", "id"), name="sets_tenant"),
            models.Index(
                fields=("workspace", "tenant", "finished_at"),
                name="sets_complete",
                condition=models.Q(status=SetStatus.COMPLETE, purpose=SetPurpose.SCHEDULE),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("id", "tenant", "workspace"), name="sets_id_scope"),
            models.CheckConstraint(
                condition=models.Q(purpose=SetPurpose.SCHEDULE, name="")
                | models.Q(purpose=SetPurpose.SELECTION, schedule__isnull=True)
                & ~models.Q(name=""),
                name="sets_selection_has_a_name",
            ),
            models.UniqueConstraint(
                fields=("tenant", "name"),
                condition=models.Q(purpose=SetPurpose.SELECTION),
                name="sets_selection_once_per_name",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=SetStatus.values), name="sets_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status=SetStatus.BUILDING, finished_at__isnull=True)
                | ~models.Q(status=SetStatus.BUILDING) & models.Q(finished_at__isnull=False),
                name="sets_building_or_finished",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=SetStatus.COMPLETE)
                | models.Q(incomplete_count=0, listed_kinds__contains=models.F("kinds")),
                name="sets_complete_misses_nothing",
            ),
        )

    def __str__(self) -> str:
        return f"“{self.name}”" if self.name else f"Backup set {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("backup_set_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_complete(self) -> bool:
        return self.status == SetStatus.COMPLETE

    @property
    def missing_kinds(self) -> list[str]:
        """Kinds that were not listed to their end."""
        return [kind for kind in self.kinds if kind not in self.listed_kinds]

    @property
    def unlicensed_kinds(self) -> list[str]:
        """Kinds that were left out, because the tenant has no licence for them."""
        return [kind for kind in self.unlisted if kind not in self.kinds]


class PolicyVersion(models.Model):
    """One content, stored once in a workspace and never changed.

    `content_hash` is that of the payload as it came; `normalised_hash` leaves out what does not
    matter (timestamps, order of sets), so that equal ones mean "unchanged".
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="policy_versions", db_index=False
    )
    content_hash = models.CharField(max_length=64)
    normalised_hash = models.CharField(max_length=64)
    payload = models.JSONField()
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    objects = WorkspaceScopedQuerySet["PolicyVersion"].as_manager()

    class Meta:
        db_table = "policy_versions"
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "content_hash"), name="versions_once_per_content"
            ),
            models.UniqueConstraint(fields=("id", "workspace"), name="versions_id_workspace"),
        )

    def __str__(self) -> str:
        return self.content_hash[:12]


class BackupItemQuerySet(WorkspaceScopedQuerySet["BackupItem"]):
    def incomplete(self) -> Self:
        return self.filter(complete=False)


class BackupItem(models.Model):
    """One object in a set, and the version that was read of it.

    Written when the object is listed, with the reason `not_attempted`, so that a set knows what it
    misses even if its worker dies; filled in when the object has been read.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    backup_set = models.ForeignKey(
        BackupSet,
        on_delete=models.CASCADE,
        related_name="items",
        db_column="set_id",
        db_index=False,
    )
    kind = models.CharField(max_length=64)
    graph_id = models.CharField(max_length=200)
    name = models.CharField(max_length=300)
    version = models.ForeignKey(
        PolicyVersion, on_delete=models.PROTECT, related_name="items", null=True, blank=True
    )
    complete = models.BooleanField(default=False)
    #: What was not read, e.g. ["settings: 25 of 118"].
    missing = models.JSONField(default=list, db_default=[])
    reason_code = models.CharField(max_length=64, default="", blank=True)
    captured_at = models.DateTimeField(null=True, blank=True)
    #: Graph's lastModifiedDateTime.
    last_modified_at = models.DateTimeField(null=True, blank=True)

    objects = BackupItemQuerySet.as_manager()

    class Meta:
        db_table = "backup_items"
        default_permissions = ("view",)
        ordering = ("kind", "name", "id")
        indexes = (
            models.Index(fields=("tenant", "kind", "graph_id", "id"), name="items_of_object"),
            models.Index(fields=("backup_set", "kind", "name", "id"), name="items_of_set"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("backup_set", "kind", "graph_id"), name="items_once_per_object"
            ),
            models.CheckConstraint(
                condition=models.Q(complete=False)
                | models.Q(
                    version__isnull=False, captured_at__isnull=False, missing=[], reason_code=""
                ),
                name="items_complete_misses_nothing",
            ),
            models.CheckConstraint(
                condition=models.Q(complete=True) | ~models.Q(reason_code=""),
                name="items_incomplete_says_why",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        slug = self.backup_set.workspace.slug
        return reverse("backup_item_detail", args=[slug, self.backup_set_id, self.pk])

    @property
    def kind_label(self) -> str:
        return kinds.label_of(self.kind)

    @property
    def reason_label(self) -> str:
        return get_reason(self.reason_code).label if self.reason_code else ""


class PolicyExport(models.Model):
    """An archive of policies, kept for a while to be downloaded."""

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
    #: The ZIP file; gone when it has expired.
    archive = models.BinaryField(null=True)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
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
        return self.expires_at <= timezone.now()
