"""The canonical record of every operation, its timeline and its items.

Only `OperationRunService` writes these tables, and only `operations.maintenance.retention` deletes
from them. The constraints here and the triggers of migration 0002 (`migrations/sql/`) guard them.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower, Now
from django.urls import reverse

from operations.catalog import CatalogEntry, OperationCatalog
from operations.causes import cause_of, describe_cause
from operations.context import RepeatedSlots, repeated_slots_of, slot_of
from operations.counts import Counts
from operations.reasons import get_reason
from operations.states import (
    ACTIVE_STATUSES,
    ATTENTION_OUTCOMES,
    ItemOutcome,
    RunOutcome,
    RunStatus,
)
from tenancy.clock import request_now
from tenancy.models import Tenant, User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from web.names import validate_name

ACTIVE = models.Q(status__in=ACTIVE_STATUSES)
PROBLEM = models.Q(outcome__in=ATTENTION_OUTCOMES)
#: The outcomes of few runs, each of which has an index.
NOT_SUCCEEDED = models.Q(outcome__in=(*ATTENTION_OUTCOMES, RunOutcome.CANCELLED))
UNRECOVERED = PROBLEM & models.Q(recovered_at__isnull=True)
#: One run for each identity: its last problem, unless it was acknowledged or has recovered.
NEEDS_ATTENTION = (
    PROBLEM
    & models.Q(acknowledged_at__isnull=True, recovered_at__isnull=True, superseded_by__isnull=True)
    & ~models.Q(context__has_key="parent_run_id")
)


class OperationRunQuerySet(WorkspaceScopedQuerySet["OperationRun"]):
    def active(self) -> Self:
        """Queued and running runs."""
        return self.filter(ACTIVE)

    def needs_attention(self) -> Self:
        """Runs with a problem that are neither acknowledged nor recovered.

        A later run with a problem stands for the earlier ones of its identity, and a parent run for
        its child runs.
        """
        return self.filter(NEEDS_ATTENTION)

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def with_scope(self) -> Self:
        """Load the workspace and the tenant, which every row of a list shows."""
        return self.select_related("workspace", "tenant")


class OperationRun(models.Model):
    """One execution of an operation."""

    #: The version of the row, if `operations.rows.change_run` returned the run.
    row_version: str = ""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="operation_runs", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="operation_runs",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="operation_runs",
        null=True,
        blank=True,
        db_index=False,
    )
    initiator_name = models.CharField(max_length=200)
    type = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=RunStatus.choices, default=RunStatus.QUEUED)
    outcome = models.CharField(
        max_length=24, choices=RunOutcome.choices, default=RunOutcome.PENDING
    )
    run_identity_hash = models.CharField(max_length=64)
    #: The rendering of the form that started it; posting that form again leads to this run.
    submission_id = models.UUIDField(null=True, blank=True)
    summary_counts = models.JSONField(default=dict, db_default={})
    failure_summary = models.JSONField(default=list, db_default=[])
    #: The cause of a problem without anything of the tenant, as `operations.causes` writes it; empty
    #: for other runs, and until a tick has read the run of an older version.
    cause = models.CharField(
        max_length=160, default="", db_default="", blank=True, db_collation="C"
    )
    context = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    next_publish_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    #: When retention removed the timeline and the items.
    details_removed_at = models.DateTimeField(null=True, blank=True)
    publish_attempts = models.PositiveIntegerField(default=0, db_default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=200, default="", db_default="", blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    retry_of = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        related_name="retries",
        null=True,
        blank=True,
        db_index=False,
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    acknowledgment_note = models.CharField(max_length=500, default="", db_default="", blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
    )
    #: The later success of the identity, and the later problem that stands for this one. Retention
    #: removes those runs earlier, and their pages then show what they were: no constraint.
    recovered_by = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    recovered_at = models.DateTimeField(null=True, blank=True)
    superseded_by = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )

    #: The incident that the run is part of; only the tick of `maintenance.incidents` sets it.
    incident = models.ForeignKey(
        "Incident",
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )

    #: Where the trace of the run continues, as `traceparent` of W3C Trace Context; empty without one.
    trace_parent = models.CharField(max_length=55, default="", db_default="", blank=True)

    objects = OperationRunQuerySet.as_manager()

    class Meta:
        db_table = "operation_runs"
        verbose_name = "operation run"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "type", "created_at", "id"), name="runs_ws_type"),
            models.Index(fields=("workspace", "created_at", "id"), name="runs_ws"),
            models.Index(fields=("tenant", "type", "created_at", "id"), name="runs_tenant_type"),
            models.Index(fields=("tenant", "created_at", "id"), name="runs_tenant"),
            models.Index(
                fields=("workspace", "created_at", "id"), name="runs_ws_active", condition=ACTIVE
            ),
            # The few active runs of a tenant are read from the index of their identities.
            models.Index(
                fields=("workspace", "created_at", "id"),
                name="runs_ws_attention",
                condition=NEEDS_ATTENTION,
            ),
            models.Index(
                fields=("tenant", "created_at", "id"),
                name="runs_tenant_attention",
                condition=NEEDS_ATTENTION,
            ),
            models.Index(
                fields=("run_identity_hash",), name="runs_unrecovered", condition=UNRECOVERED
            ),
            models.Index(
                fields=("created_at",),
                name="runs_blocked",
                condition=models.Q(outcome=RunOutcome.BLOCKED, recovered_at__isnull=True),
            ),
            models.Index(
                fields=("id",), name="runs_without_cause", condition=PROBLEM & models.Q(cause="")
            ),
            models.Index(
                fields=("workspace", "cause", "created_at", "id"),
                name="runs_ws_cause",
                condition=~models.Q(cause=""),
            ),
            models.Index(
                fields=("assigned_to", "created_at", "id"),
                name="runs_assigned",
                condition=models.Q(assigned_to__isnull=False),
            ),
            models.Index(
                fields=("incident", "created_at", "id"),
                name="runs_of_incident",
                condition=models.Q(incident__isnull=False),
            ),
            models.Index(
                fields=("workspace", "cause", "created_at"),
                name="runs_without_incident",
                condition=UNRECOVERED & models.Q(incident__isnull=True) & ~models.Q(cause=""),
            ),
            models.Index(
                fields=("workspace", "created_at", "id"),
                name="runs_ws_details",
                condition=models.Q(status=RunStatus.COMPLETED, details_removed_at__isnull=True),
            ),
            models.Index(
                fields=("next_publish_at",),
                name="runs_relay",
                condition=models.Q(status=RunStatus.QUEUED),
            ),
            models.Index(
                models.F("context__parent_run_id"),
                name="runs_by_parent",
                condition=models.Q(context__has_key="parent_run_id"),
            ),
            models.Index(
                fields=("workspace", "type", "completed_at", "id"),
                name="runs_ws_type_ended",
                condition=models.Q(completed_at__isnull=False),
            ),
            models.Index(
                models.F("workspace"),
                models.F("type"),
                models.F("completed_at") - models.F("started_at"),
                models.F("id"),
                name="runs_ws_type_duration",
                condition=models.Q(completed_at__isnull=False, started_at__isnull=False),
            ),
            models.Index(
                fields=("workspace", "initiator_name", "type", "created_at", "id"),
                name="runs_ws_initiator",
            ),
            models.Index(
                fields=("user", "created_at", "id"),
                name="runs_user",
                condition=models.Q(user__isnull=False),
            ),
            models.Index(
                fields=("retry_of",),
                name="runs_retry_of",
                condition=models.Q(retry_of__isnull=False),
            ),
            # Read when an account is deleted.
            models.Index(
                fields=("acknowledged_by",),
                name="runs_acknowledged_by",
                condition=models.Q(acknowledged_by__isnull=False),
            ),
            models.Index(
                fields=("cancel_requested_by",),
                name="runs_cancel_requested_by",
                condition=models.Q(cancel_requested_by__isnull=False),
            ),
            # A few runs in a hundred have not succeeded, so these indexes cost little.
            models.Index(
                fields=("workspace", "outcome", "created_at", "id"),
                name="runs_ws_outcome",
                condition=NOT_SUCCEEDED,
            ),
            models.Index(
                fields=("workspace", "type", "outcome", "created_at", "id"),
                name="runs_ws_type_outcome",
                condition=NOT_SUCCEEDED,
            ),
            models.Index(
                fields=("workspace", "initiator_name", "outcome", "created_at", "id"),
                name="runs_ws_initiator_outcome",
                condition=NOT_SUCCEEDED,
            ),
            models.Index(
                fields=("tenant", "outcome", "created_at", "id"),
                name="runs_tenant_outcome",
                condition=NOT_SUCCEEDED,
            ),
            models.Index(
                fields=("user", "outcome", "created_at", "id"),
                name="runs_user_outcome",
                condition=NOT_SUCCEEDED & models.Q(user__isnull=False),
            ),
            models.Index(
                fields=("tenant", "cause", "created_at", "id"),
                name="runs_tenant_cause",
                condition=~models.Q(cause=""),
            ),
            models.Index(
                fields=("workspace", "outcome", "completed_at", "id"),
                name="runs_ws_outcome_ended",
                condition=NOT_SUCCEEDED,
            ),
            models.Index(
                models.F("workspace"),
                models.F("outcome"),
                models.F("completed_at") - models.F("started_at"),
                models.F("id"),
                name="runs_ws_outcome_duration",
                condition=NOT_SUCCEEDED & models.Q(started_at__isnull=False),
            ),
            # The reconciler reads the running rows. No index has heartbeat_at, so that heartbeats
            # stay HOT updates.
            models.Index(
                fields=("id",), name="runs_running", condition=models.Q(status=RunStatus.RUNNING)
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "run_identity_hash"),
                condition=models.Q(tenant__isnull=False) & ACTIVE,
                name="runs_one_active_per_tenant_identity",
            ),
            models.UniqueConstraint(
                fields=("workspace", "run_identity_hash"),
                condition=models.Q(tenant__isnull=True) & ACTIVE,
                name="runs_one_active_per_workspace_identity",
            ),
            models.UniqueConstraint(
                fields=("submission_id", "run_identity_hash"),
                condition=models.Q(submission_id__isnull=False),
                name="runs_submission_starts_once",
            ),
            # What the values of a run must be: migrations/sql/run_rules.sql.
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.label}"

    def get_absolute_url(self) -> str:
        return reverse("run_detail", args=[self.pk])

    def child_runs(self) -> OperationRunQuerySet:
        """The runs that this run started and whose counts it sums up."""
        return OperationRun.objects.filter(
            workspace=self.workspace_id,
            context__has_key="parent_run_id",
            context__parent_run_id=self.pk,
        )

    @property
    def catalog(self) -> CatalogEntry | None:
        return OperationCatalog.find(self.type)

    @property
    def label(self) -> str:
        return OperationCatalog.label(self.type)

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STATUSES

    @property
    def is_queued(self) -> bool:
        return self.status == RunStatus.QUEUED

    @property
    def is_running(self) -> bool:
        return self.status == RunStatus.RUNNING

    @property
    def has_problem(self) -> bool:
        """Whether the run failed, partially succeeded or was blocked."""
        return self.outcome in ATTENTION_OUTCOMES

    @property
    def is_acknowledgeable(self) -> bool:
        """Whether the run has a problem that is neither acknowledged nor recovered."""
        return self.has_problem and self.acknowledged_at is None and self.recovered_at is None

    @property
    def parent_run_id(self) -> int | None:
        """The run that started this run and sums up its counts."""
        parent: int | None = self.context.get("parent_run_id")
        return parent

    @property
    def needs_attention(self) -> bool:
        """Whether this run is the one in “Needs attention”, as `OperationRunQuerySet` selects it."""
        return (
            self.is_acknowledgeable
            and self.superseded_by_id is None
            and "parent_run_id" not in self.context
        )

    @property
    def cause_text(self) -> str:
        """The cause for pages, such as “Permission missing: Policy.Read.All”; empty without a problem."""
        if not self.has_problem:
            return ""
        return describe_cause(self.cause or cause_of(self.failure_summary))

    @property
    def counts(self) -> Counts:
        return Counts.of(self.summary_counts)

    @property
    def phase(self) -> str:
        """What the run is doing now, in a few words; empty if it has not reported it."""
        return str(self.counts.meta.get("phase") or "")

    @property
    def expected(self) -> dt.timedelta | None:
        """The usual duration of the type, from the catalog."""
        return self.catalog.expected_duration if self.catalog else None

    @property
    def queue_time(self) -> dt.timedelta:
        """The time from the request to the start, or to completion, or until now."""
        return (self.started_at or self.completed_at or request_now()) - self.created_at

    @property
    def duration(self) -> dt.timedelta | None:
        """The time from the start to completion, or until now; None if the run never started."""
        if self.started_at is None:
            return None
        return (self.completed_at or request_now()) - self.started_at

    @property
    def lease_expired(self) -> bool:
        """Whether the run is running and its lease has ended without a heartbeat."""
        lease = dt.timedelta(seconds=settings.RUN_LEASE_SECONDS)
        return (
            self.is_running
            and self.heartbeat_at is not None
            and request_now() - self.heartbeat_at > lease
        )

    @property
    def failures(self) -> list[dict[str, Any]]:
        """The failures, most frequent first, each with the label of its reason."""
        entries = [
            {**entry, "label": get_reason(entry["code"]).label} for entry in self.failure_summary
        ]
        return sorted(entries, key=lambda entry: -entry["count"])

    @property
    def trace_id(self) -> str:
        """The id of the trace that the run continues; empty without one."""
        return self.trace_parent[3:35]

    @property
    def slot(self) -> dt.datetime | None:
        """The time for which a schedule started the run."""
        return slot_of(self.context)

    @property
    def repeated_slots(self) -> RepeatedSlots | None:
        """The slots for which a blocked run stands; None for one slot."""
        return repeated_slots_of(self.context)


class IncidentQuerySet(WorkspaceScopedQuerySet["Incident"]):
    def open(self) -> Self:
        """Incidents whose runs have not all recovered."""
        return self.filter(closed_at__isnull=True)

    def closed(self) -> Self:
        return self.filter(closed_at__isnull=False)


class Incident(models.Model):
    """The problems of a workspace that have one cause, from the first until all have recovered.

    `maintenance.incidents` opens, counts and closes it. If the cause returns, there is a new
    incident with the next number.
    """

    class CloseReason(models.TextChoices):
        RECOVERED = "recovered", "Recovered"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cause = models.CharField(max_length=160, db_collation="C")
    #: How often the cause has hit several tenants, and when it first did.
    number = models.PositiveIntegerField()
    since = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(
        max_length=16, choices=CloseReason.choices, default="", db_default="", blank=True
    )
    #: When the first and the last of its runs ended.
    first_run_at = models.DateTimeField()
    last_run_at = models.DateTimeField()
    runs = models.PositiveIntegerField(default=0, db_default=0)
    tenants = models.PositiveIntegerField(default=0, db_default=0)
    recovered_runs = models.PositiveIntegerField(default=0, db_default=0)
    #: The tenants of which all runs have recovered.
    recovered_tenants = models.PositiveIntegerField(default=0, db_default=0)
    #: The runs that have recovered or are acknowledged.
    settled_runs = models.PositiveIntegerField(default=0, db_default=0)
    counted_at = models.DateTimeField(db_default=Now())

    objects = IncidentQuerySet.as_manager()

    class Meta:
        db_table = "operation_incidents"
        default_permissions = ("view",)
        indexes = (
            models.Index(
                fields=("workspace", "created_at", "id"),
                name="incidents_closed",
                condition=models.Q(closed_at__isnull=False),
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "cause"),
                condition=models.Q(closed_at__isnull=True),
                name="incidents_one_open_per_cause",
            ),
            models.UniqueConstraint(
                fields=("workspace", "cause", "number"), name="incidents_numbered"
            ),
            # The key to which runs refer, so that they have its workspace and its cause.
            models.UniqueConstraint(fields=("id", "workspace", "cause"), name="incidents_key"),
            models.CheckConstraint(
                condition=models.Q(closed_at__isnull=True, close_reason="")
                | models.Q(closed_at__isnull=False, close_reason__in=("recovered", "acknowledged")),
                name="incidents_closed_for_a_reason",
            ),
            models.CheckConstraint(
                condition=~models.Q(close_reason="recovered")
                | models.Q(recovered_runs=models.F("runs")),
                name="incidents_recovered_completely",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    tenants__lte=models.F("runs"),
                    recovered_tenants__lte=models.F("tenants"),
                    recovered_runs__lte=models.F("settled_runs"),
                    settled_runs__lte=models.F("runs"),
                    first_run_at__lte=models.F("last_run_at"),
                ),
                name="incidents_counts_fit",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.cause_text}"

    def get_absolute_url(self) -> str:
        return reverse("incident_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def cause_text(self) -> str:
        return describe_cause(self.cause)

    @property
    def lasted(self) -> dt.timedelta:
        """The time from the end of the first run until the incident closed, or until now."""
        return (self.closed_at or request_now()) - self.first_run_at

    def earlier(self) -> IncidentQuerySet:
        """The earlier incidents with this cause, newest first."""
        return (
            Incident.objects.filter(
                workspace=self.workspace_id, cause=self.cause, number__lt=self.number
            )
            .select_related("workspace")
            .order_by("-number")
        )


class EventLevel(models.TextChoices):
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    ERROR = "error", "Error"


class OperationRunEvent(models.Model):
    """One line of a run's timeline. Append-only; the sequence has no gaps or duplicates."""

    run = models.ForeignKey(
        OperationRun, on_delete=models.CASCADE, related_name="events", db_index=False
    )
    sequence = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=40)
    level = models.CharField(max_length=10, choices=EventLevel.choices, default=EventLevel.INFO)
    message = models.TextField()
    data = models.JSONField(default=dict, db_default={})
    actor = models.CharField(max_length=200, default="", db_default="", blank=True)

    class Meta:
        db_table = "operation_run_events"
        verbose_name = "run event"
        default_permissions = ("view",)
        ordering = ("run", "sequence")
        constraints = (models.UniqueConstraint("run", "sequence", name="run_events_sequence"),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class OperationRunItem(models.Model):
    """The outcome of one item of a run."""

    run = models.ForeignKey(
        OperationRun, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    key = models.CharField(max_length=300)
    label = models.CharField(max_length=300, default="", blank=True)
    outcome = models.CharField(max_length=16, choices=ItemOutcome.choices)
    reason_code = models.CharField(max_length=64, default="", blank=True)
    message = models.TextField(default="", blank=True)
    request_id = models.CharField(max_length=100, default="", blank=True)
    link = models.CharField(max_length=300, default="", blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "operation_run_items"
        verbose_name = "run item"
        default_permissions = ("view",)
        ordering = ("run", "id")
        constraints = (
            models.UniqueConstraint(fields=("run", "key"), name="run_items_once"),
            models.CheckConstraint(
                condition=models.Q(outcome__in=ItemOutcome.values), name="run_items_outcome_known"
            ),
        )
        indexes = (
            models.Index(fields=("run", "outcome", "id"), name="run_items_by_outcome"),
            models.Index(
                fields=("request_id",),
                name="run_items_by_request",
                condition=~models.Q(request_id=""),
            ),
        )

    def __str__(self) -> str:
        return f"{self.label or self.key}: {self.outcome}"

    @property
    def reason_label(self) -> str:
        return get_reason(self.reason_code).label if self.reason_code else ""


class OperationRunTombstone(models.Model):
    """The remainder of a run that retention has removed: what it was and how it ended."""

    #: The id of the removed run.
    id = models.BigIntegerField(primary_key=True)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
    )
    type = models.CharField(max_length=64)
    outcome = models.CharField(max_length=24, choices=RunOutcome.choices)
    counts = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField()
    pruned_at = models.DateTimeField(db_default=Now())

    objects = WorkspaceScopedQuerySet["OperationRunTombstone"].as_manager()

    class Meta:
        db_table = "operation_run_tombstones"
        verbose_name = "run tombstone"
        default_permissions = ("view",)
        indexes = (models.Index(fields=("workspace", "pruned_at"), name="tombstones_ws"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.label}, removed"

    @property
    def label(self) -> str:
        return OperationCatalog.label(self.type)

    @property
    def run_counts(self) -> Counts:
        """The counts of the run as numbers."""
        return Counts.of(self.counts)


class InvariantResult(models.Model):
    """The result of the last check of one invariant (`operations/maintenance/integrity.py`)."""

    name = models.CharField(max_length=64, primary_key=True)
    checked_at = models.DateTimeField()
    #: The number of violations, up to a limit, and the lowest ids.
    count = models.PositiveIntegerField(default=0)
    offenders = models.JSONField(default=list)
    #: Why the invariant could not be checked; empty if it was checked.
    error = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        db_table = "operation_invariants"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.summary}"

    @property
    def is_kept(self) -> bool:
        return not self.count and not self.error

    @property
    def summary(self) -> str:
        """The result as text."""
        if self.error:
            return self.error
        if not self.count:
            return "kept"
        return "1 violation" if self.count == 1 else f"{self.count:,} violations"


class OperationTick(models.Model):
    """When a periodic task last ran, or when a worker last claimed a run of a queue."""

    #: The name of the task, or `claim <queue>`.
    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        db_table = "operation_ticks"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.at:%Y-%m-%d %H:%M:%S}"


class Metric(models.Model):
    """A counter of what the ledger has recorded; its value never decreases.

    Only the function `operation_metrics_update` in `migrations/sql/metrics.sql` writes it, so that
    retention and restarts change nothing. A histogram has a counter for each bucket and its sum.
    """

    name = models.CharField(max_length=60)
    labels = models.JSONField(default=dict, db_default={})
    value = models.FloatField(default=0)

    class Meta:
        db_table = "operation_metrics"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("name", "labels"), name="metrics_once"),)

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g}"


class MetricIncrement(models.Model):
    """What happened and is not counted yet; the tick counts it in the transaction that deletes it.

    Triggers write it in the transaction in which it happens, so that it is counted exactly once.
    """

    #: What happened: `run_ended`, `slot_repeated`, `counters`, or the name of a counter.
    kind = models.CharField(max_length=60)
    run_id = models.BigIntegerField(null=True, blank=True)
    #: Counters with labels and values, if a worker counted them itself.
    counters = models.JSONField(null=True, blank=True)

    class Meta:
        db_table = "operation_metric_increments"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.run_id or ''}".strip()


class RunCount(models.Model):
    """How many runs of a workspace that were requested in a quarter of an hour have ended.

    Only functions in `migrations/sql/run_counts.sql` write it, for the last two days. A run that
    has ended is counted here or has an increment; `operations.presentation.hours` adds both up.
    """

    #: No constraint: the rows of a workspace that is deleted are removed with the old ones.
    workspace = models.ForeignKey(
        Workspace,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    #: The start of the quarter: the hours of every time zone begin with one.
    quarter = models.DateTimeField()
    type = models.CharField(max_length=64)
    outcome = models.CharField(max_length=24, choices=RunOutcome.choices)
    runs = models.BigIntegerField()

    class Meta:
        db_table = "operation_run_counts"
        default_permissions = ()
        indexes = (models.Index(fields=("quarter",), name="run_counts_quarter"),)
        constraints = (
            models.UniqueConstraint(
                fields=("workspace", "quarter", "type", "outcome"), name="run_counts_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.quarter:%Y-%m-%d %H:%M} {self.type} {self.outcome}: {self.runs}"


class SavedViewQuerySet(WorkspaceScopedQuerySet["SavedView"]):
    def usable_by(self, user: User) -> Self:
        """The user's own views and the shared ones, in the workspaces of the user."""
        return self.visible_to(user).filter(models.Q(owner=user) | models.Q(owner=None))

    def own_first(self) -> Self:
        return self.order_by(models.F("owner").asc(nulls_last=True), Lower("name"))


class SavedView(models.Model):
    """A list of runs with a name: its filters, columns, order and density, as in its address.

    A view without an owner is shared with the workspace. The constraints in
    `migrations/sql/saved_views.sql` delete the views of a member who leaves.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="saved_views", db_index=False
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_index=False,
        db_constraint=False,
    )
    created_by_name = models.CharField(max_length=150)
    name = models.CharField(max_length=80, validators=[validate_name])
    parameters = models.JSONField(default=dict, db_default={})
    created_at = models.DateTimeField(db_default=Now())

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        db_table = "saved_views"
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                "workspace",
                "owner",
                Lower("name"),
                name="saved_views_own_name",
                condition=models.Q(owner__isnull=False),
                violation_error_message="You already have a view with that name.",
            ),
            models.UniqueConstraint(
                "workspace",
                Lower("name"),
                name="saved_views_shared_name",
                condition=models.Q(owner__isnull=True),
                violation_error_message="The workspace already has a view with that name.",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return f"{reverse('run_list', args=[self.workspace.slug])}?saved={self.pk}"

    @property
    def is_shared(self) -> bool:
        return self.owner_id is None


class ListSettings(models.Model):
    """The columns and the density that a user has chosen for the lists of runs."""

    class Density(models.TextChoices):
        COMFORTABLE = "comfortable", "Comfortable"
        COMPACT = "compact", "Compact"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    #: The names of the columns, separated by commas.
    columns = models.CharField(max_length=200)
    density = models.CharField(max_length=16, choices=Density.choices)

    class Meta:
        db_table = "list_settings"
        verbose_name_plural = "list settings"
        default_permissions = ("view",)
        constraints = (
            models.CheckConstraint(
                condition=models.Q(density__in=("comfortable", "compact")),
                name="list_settings_density_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.density}: {self.columns}"
