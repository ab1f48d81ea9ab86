"""Backup schedules: times, scope, retention and missed runs."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from backups import cron_words, kinds, slots
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace, validate_timezone
from tenancy.querysets import WorkspaceScopedQuerySet

NAME_TAKEN = "This tenant already has a schedule with this name."


class MisfirePolicy(models.TextChoices):
    """What happens to slots that did not start on time."""

    FIRE_LATEST = "fire_latest", "Run the latest missed slot within the grace period"
    SKIP = "skip", "Skip missed slots"


class BackupScheduleQuerySet(WorkspaceScopedQuerySet["BackupSchedule"]):
    def with_scope(self) -> Self:
        """Load the workspace, the tenant and its default connection."""
        defaults = ProviderConnection.objects.defaults().filter(tenant=models.OuterRef("tenant"))
        scoped = self.select_related("workspace", "tenant")
        return scoped.annotate(default_connection_id=models.Subquery(defaults.values("pk")[:1]))


class BackupSchedule(models.Model):
    """When a tenant is backed up, which kinds of it, and how long its sets are kept.

    `next_run_at` is the next slot; the run starts `spread_seconds` later. Use `backups.services` to
    change a schedule: it updates both.
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
        "keep sets", default=30, help_text="The newest complete sets are always kept."
    )
    retention_keep_days = models.PositiveIntegerField(
        "keep days", default=90, help_text="Newer sets are always kept."
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

    #: The default connection of the tenant, set by `with_scope`.
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
                name="schedules_retention_positive",
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
        """Set the next slot to the first one after `now`; earlier slots are not caught up."""
        self.next_run_at = slots.next_slot(self.cron, self.timezone, now)
        key = f"{self.tenant_id}/{self.name}"
        self.spread_seconds = slots.spread(self.cron, self.timezone, key, now).seconds

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def spread(self) -> dt.timedelta:
        """The time from a slot to the start of its backup."""
        return dt.timedelta(seconds=self.spread_seconds)

    @property
    def in_words(self) -> str:
        """The cron expression in words."""
        return cron_words.describe(self.cron)

    @property
    def kind_labels(self) -> list[str]:
        return [kinds.label_of(kind) for kind in self.kinds]
