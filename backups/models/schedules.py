"""Backup schedules: times with their revisions, scope, retention and missed runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from backups import cron_words, kinds, slots
from backups.models.objectives import objective_is_possible
from providers.models import ProviderConnection
from tenancy.db import passes_checks
from tenancy.models import Tenant, TenantStatus, Workspace, validate_timezone
from tenancy.querysets import WorkspaceScopedQuerySet
from web.names import validate_name

NAME_TAKEN = "This tenant already has a schedule with this name."
#: Slots that are settled further in the future were settled by a clock that was wrong.
MAX_CLOCK_ERROR = dt.timedelta(minutes=10)


class MisfirePolicy(models.TextChoices):
    """What happens to slots that did not start on time."""

    FIRE_LATEST = "fire_latest", "Run the latest missed slot within the grace period"
    SKIP = "skip", "Skip missed slots"


class BackupScheduleQuerySet(WorkspaceScopedQuerySet["BackupSchedule"]):
    def listed(self) -> Self:
        """Return what lists show: no deleted schedules, and none of archived tenants."""
        return self.filter(deleted_at=None).exclude(tenant__status=TenantStatus.ARCHIVED)

    def with_scope(self) -> Self:
        """Load the workspace, the tenant, its default connection and the current revision."""
        defaults = ProviderConnection.objects.defaults().filter(tenant=models.OuterRef("tenant"))
        current = ScheduleRevision.objects.filter(schedule=models.OuterRef("pk"), valid_until=None)
        return self.select_related("workspace", "tenant").annotate(
            default_connection_id=models.Subquery(defaults.values("pk")[:1]),
            current_revision=models.Subquery(current.values("number")[:1]),
        )


class BackupSchedule(models.Model):
    """When a tenant is backed up, which kinds of it, and how long its sets are kept.

    Every slot up to and including `settled_until` has a run that started or that says why it did
    not. `next_run_at` is the first slot after it, by the time-zone rules of version
    `rules_version`; the run starts `spread_seconds` later. Use `backups.services` to change a
    schedule: it updates them and records a revision.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="backup_schedules"
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="backup_schedules", db_constraint=False
    )
    name = models.CharField(max_length=200, validators=[validate_name])
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
    objective_hours = models.PositiveIntegerField(
        "objective in hours",
        null=True,
        blank=True,
        help_text="How old the last complete backup may be; empty: the objective of the workspace.",
    )
    settled_until = models.DateTimeField(editable=False)
    next_run_at = models.DateTimeField(null=True, blank=True, editable=False)
    rules_version = models.CharField(
        max_length=10, blank=True, default="", db_default="", editable=False
    )
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
    #: A deleted schedule is paused for good: its runs, sets and revisions still refer to it.
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_by_name = models.CharField(
        max_length=150, blank=True, default="", db_default="", editable=False
    )
    deletion_reason = models.CharField(
        max_length=300, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    #: The default connection of the tenant and the number of the current revision, set by
    #: `with_scope`.
    default_connection_id: int | None = None
    current_revision: int | None = None

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
                condition=models.Q(deleted_at=None),
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
                condition=models.Q(objective_hours=None) | objective_is_possible("objective_hours"),
                name="schedules_objective_possible",
            ),
            models.CheckConstraint(
                condition=models.Q(paused_at__isnull=True, next_run_at__isnull=False)
                & models.Q(pause_reason="", paused_by__isnull=True)
                | models.Q(paused_at__isnull=False, next_run_at__isnull=True)
                & ~models.Q(pause_reason=""),
                name="schedules_paused_or_due",
            ),
            models.CheckConstraint(
                condition=models.Q(deleted_at=None, deletion_reason="", deleted_by_name="")
                | models.Q(deleted_at__isnull=False, paused_at__isnull=False)
                & models.Q(deletion_reason__regex=r"\S"),
                name="schedules_deleted_are_paused",
            ),
            models.CheckConstraint(
                condition=models.Q(next_run_at__gt=models.F("settled_until")),
                name="schedules_next_after_settled",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("schedule_detail", args=[self.workspace.slug, self.pk])

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Validate the constraints; all checks together take one statement.

        Raises:
            ValidationError: a constraint does not hold.
        """
        if not passes_checks(self, exclude):
            super().validate_constraints(exclude)
        for constraint in self._meta.constraints:
            if isinstance(constraint, models.UniqueConstraint):
                constraint.validate(BackupSchedule, self, exclude=set(exclude or ()))

    def start_from(self, now: dt.datetime) -> None:
        """Set the next slot to the first one after `now`; earlier slots are not caught up."""
        self.settle_until(now)
        self.next_run_at = slots.next_slot(self.cron, self.timezone, self.settled_until)
        self.rules_version = slots.rules_version()
        key = f"{self.tenant_id}/{self.name}"
        self.spread_seconds = slots.spread(self.cron, self.timezone, key, now).seconds

    def settle_until(self, now: dt.datetime) -> None:
        """Count the slots up to `now` as settled.

        A slightly later value stays, because a clock that was ahead has settled those slots.
        """
        if self._state.adding or not now < self.settled_until <= now + MAX_CLOCK_ERROR:
            self.settled_until = now

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def objective(self) -> dt.timedelta | None:
        """How old the last complete backup may be, if the schedule says so."""
        return dt.timedelta(hours=self.objective_hours) if self.objective_hours else None

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


class RevisionReason(models.TextChoices):
    """Why the times of a schedule begin or end to count."""

    CREATED = "created", "Schedule added"
    UPGRADED = "upgraded", "History begins"
    TIMES_CHANGED = "times_changed", "Times changed"
    PAUSED = "paused", "Paused"
    DELETED = "deleted", "Schedule deleted"
    RESUMED = "resumed", "Resumed"
    RULES_UPDATED = "rules_updated", "Time zone rules updated"
    CLOCK_SET_BACK = "clock_set_back", "Database clock set back"


class ScheduleRevision(models.Model):
    """A period with the same times: its slots are later than `valid_from`, up to `valid_until`.

    The revision of an unpaused schedule is open: it has no end. `backups.revisions` writes them.
    `old_next_slot` and `new_next_slot` are what an update of time-zone rules changed.
    """

    schedule = models.ForeignKey(
        BackupSchedule,
        on_delete=models.DO_NOTHING,
        related_name="revisions",
        db_constraint=False,
        db_index=False,
    )
    number = models.PositiveIntegerField()
    cron = models.CharField(max_length=slots.MAX_LENGTH)
    timezone = models.CharField(max_length=64)
    rules_version = models.CharField(max_length=10)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, choices=RevisionReason.choices)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    end_reason = models.CharField(
        max_length=20, choices=RevisionReason.choices, default="", db_default=""
    )
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    old_next_slot = models.DateTimeField(null=True)
    new_next_slot = models.DateTimeField(null=True)

    objects = models.Manager["ScheduleRevision"]()

    class Meta:
        db_table = "backup_schedule_revisions"
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=("schedule", "number"), name="revisions_number_once"),
            models.UniqueConstraint(
                fields=("schedule",),
                condition=models.Q(valid_until=None),
                name="revisions_one_open_per_schedule",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until__gte=models.F("valid_from")),
                name="revisions_end_after_start",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until=None, end_reason="")
                | models.Q(valid_until__isnull=False, end_reason__in=RevisionReason.values),
                name="revisions_end_has_reason",
            ),
            models.CheckConstraint(
                condition=models.Q(reason__in=RevisionReason.values),
                name="revisions_reason_known",
            ),
        )

    def __str__(self) -> str:
        return f"Revision {self.number}"

    @property
    def in_words(self) -> str:
        """The cron expression in words."""
        return cron_words.describe(self.cron)


class TimeZoneRules(models.Model):
    """The version of the time-zone rules in use, in one row: since when, and when it last ticked."""

    version = models.CharField(max_length=10)
    applied_at = models.DateTimeField()
    last_tick_at = models.DateTimeField()

    objects = models.Manager["TimeZoneRules"]()

    class Meta:
        db_table = "backup_time_zone_rules"
        verbose_name = "version of the time-zone rules"
        verbose_name_plural = "versions of the time-zone rules"
        constraints = (
            models.CheckConstraint(condition=models.Q(pk=1), name="time_zone_rules_one_row"),
        )

    def __str__(self) -> str:
        return self.version
