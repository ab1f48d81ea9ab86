"""Restores: what was requested, what the preview planned, and the result of each object.

The triggers in `migrations/sql/` enforce the order: nothing is written before it was previewed, a
preview does not change while it is written, and the result of an object is never rewritten.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from accounts.access_tokens.models import service_accounts_created_by
from backups.models import BackupItem, BackupSet, PolicyVersion
from operations.models import OperationRun
from providers.graph.kinds import KIND
from tenancy.models import Tenant, User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Capability, roles_with


class RestoreStatus(models.TextChoices):
    """The stage of a restore. It only moves forward."""

    PREVIEWING = "previewing", "Previewing"
    PREVIEWED = "previewed", "Previewed"
    EXECUTING = "executing", "Executing"
    ENDED = "ended", "Ended"


class Assignments(models.TextChoices):
    """What a restore does with assignments."""

    KEEP = "keep", "Keep current"
    BACKUP = "backup", "From backup"
    NONE = "none", "No assignments"


class AccessState(models.TextChoices):
    """The state in which an enabled conditional access policy is restored."""

    REPORT_ONLY = "report_only", "Report-only"
    AS_BACKED_UP = "as_backed_up", "As in the backup"


class Action(models.TextChoices):
    """What a restore would do with one object."""

    UNKNOWN = "", "Not previewed yet"
    CREATE = "create", "Create"
    UPDATE = "update", "Update"
    UNCHANGED = "unchanged", "Unchanged"
    CONFLICT = "conflict", "Conflict"
    BLOCKED = "blocked", "Blocked"


class Decision(models.TextChoices):
    """The operator's decision about a conflict."""

    OPEN = "", "Undecided"
    KEEP = "keep", "Keep current"
    TAKE = "take", "Use backup"
    CREATE = "create", "Create a new one"


class ItemState(models.TextChoices):
    """How far one object has been written."""

    PLANNED = "planned", "Planned"
    INTENT = "intent", "Pending write"
    APPLIED = "applied", "Written"
    VERIFIED = "verified", "Written and verified"
    DIFFERS = "differs", "Written, but different"
    UNKNOWN = "unknown", "Unknown: verify manually"
    FAILED = "failed", "Not written"
    SKIPPED = "skipped", "Skipped"


REMAINING_STATES = (ItemState.FAILED, ItemState.UNKNOWN, ItemState.DIFFERS)


class RestoreQuerySet(WorkspaceScopedQuerySet["RestoreRun"]):
    def with_scope(self) -> Self:
        return self.select_related(
            "workspace", "tenant", "backup_set", "preview_run", "execute_run"
        )

    def with_unknown(self) -> Self:
        """Annotate each restore with `unknown_count`: its objects with an unknown outcome."""
        is_unknown = models.Q(items__state=ItemState.UNKNOWN)
        return self.annotate(unknown_count=models.Count("items", filter=is_unknown))

    def waiting_for(self, user: User) -> Self:
        """The previews that this user can approve now: of others, decided and not expired."""
        is_open = models.Q(preview_expires_at=None) | models.Q(preview_expires_at__gt=Now())
        required = models.Q(approval_required=True) | models.Q(
            workspace__restores_need_approval=True
        )
        approver = models.Q(
            workspace__memberships__user=user.pk,
            workspace__memberships__role__in=roles_with(Capability.RESTORE),
        )
        undecided = RestoreItem.objects.filter(
            restore=models.OuterRef("pk"), action=Action.CONFLICT, decision=Decision.OPEN
        )
        waiting = self.filter(
            is_open & required & approver, status=RestoreStatus.PREVIEWED, approved_at=None
        )
        of_others = waiting.filter(requested_by__isnull=False).exclude(
            models.Q(requested_by=user.pk)
            | models.Q(requested_by__in=service_accounts_created_by(user.pk))
        )
        return of_others.exclude(models.Exists(undecided))

    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")


class RestoreRun(models.Model):
    """One restore, from the selection of its items to its end."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="restores", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="restores", db_constraint=False
    )
    backup_set = models.ForeignKey(
        BackupSet, on_delete=models.SET_NULL, related_name="restores", null=True
    )
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, related_name="retries", null=True, blank=True
    )
    status = models.CharField(
        max_length=16, choices=RestoreStatus.choices, default=RestoreStatus.PREVIEWING
    )
    assignments = models.CharField(
        max_length=8, choices=Assignments.choices, default=Assignments.KEEP
    )
    access_state = models.CharField(
        max_length=16, choices=AccessState.choices, default=AccessState.REPORT_ONLY
    )
    #: True until a person confirms the restore: a preview alone changes nothing.
    is_dry_run = models.BooleanField(default=True)
    #: SHA-256 of the preview; an execution writes exactly that.
    preview_digest = models.CharField(max_length=64, default="", blank=True)
    preview_run = models.ForeignKey(
        OperationRun, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    execute_run = models.ForeignKey(
        OperationRun, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    #: The backup of the targets before anything was written.
    before_set = models.ForeignKey(
        BackupSet, on_delete=models.SET_NULL, related_name="taken_before", null=True, blank=True
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True
    )
    requested_by_name = models.CharField(max_length=200)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    created_at = models.DateTimeField(db_default=Now())
    previewed_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    #: Whether the workspace required an approval when the restore was previewed. Switching the rule
    #: off later does not change it; switching it on later applies as well.
    approval_required = models.BooleanField(default=False, db_default=False)
    #: Until when the preview can be approved and executed, and how long the approval holds.
    preview_expires_at = models.DateTimeField(null=True, blank=True)
    approval_expires_at = models.DateTimeField(null=True, blank=True)
    executed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = RestoreQuerySet.as_manager()

    class Meta:
        db_table = "restore_runs"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="restores_ws"),
            models.Index(
                fields=("workspace", "created_at", "id"),
                name="restores_unapproved",
                condition=models.Q(status=RestoreStatus.PREVIEWED, approved_at__isnull=True),
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=("id", "tenant", "workspace"), name="restores_id_scope"),
            models.UniqueConstraint(
                fields=("tenant",),
                condition=models.Q(status=RestoreStatus.EXECUTING),
                name="restores_one_active_per_tenant",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=RestoreStatus.values), name="restores_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(assignments__in=Assignments.values)
                & models.Q(access_state__in=AccessState.values),
                name="restores_options_known",
            ),
            models.CheckConstraint(
                condition=models.Q(status=RestoreStatus.ENDED, ended_at__isnull=False)
                | ~models.Q(status=RestoreStatus.ENDED) & models.Q(ended_at__isnull=True),
                name="restores_ended_has_an_end",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=RestoreStatus.EXECUTING)
                | models.Q(executed_at__isnull=False, is_dry_run=False)
                & ~models.Q(preview_digest=""),
                name="restores_executed_as_previewed",
            ),
        )

    def __str__(self) -> str:
        return f"Restore {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("restore_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_previewed(self) -> bool:
        return self.status == RestoreStatus.PREVIEWED

    @property
    def is_active(self) -> bool:
        return self.status in (RestoreStatus.PREVIEWING, RestoreStatus.EXECUTING)

    @property
    def requires_approval(self) -> bool:
        """Whether a second person must approve the restore."""
        return self.approval_required or self.workspace.restores_need_approval

    @property
    def needs_approval(self) -> bool:
        """Whether a second person must approve the restore and has not done so."""
        return self.requires_approval and self.approved_at is None

    def is_expired(self, now: dt.datetime) -> bool:
        """Whether the preview is too old to be approved or executed."""
        return self.preview_expires_at is not None and self.preview_expires_at <= now

    @property
    def run(self) -> OperationRun | None:
        """The run of the execution, or of the preview before it."""
        return self.execute_run or self.preview_run


class RestoreItem(models.Model):
    """One object of a restore: its plan and its result."""

    restore = models.ForeignKey(RestoreRun, on_delete=models.CASCADE, related_name="items")
    backup_item = models.ForeignKey(
        BackupItem, on_delete=models.SET_NULL, related_name="+", null=True, db_constraint=False
    )
    version = models.ForeignKey(
        PolicyVersion, on_delete=models.DO_NOTHING, related_name="+", null=True, db_constraint=False
    )
    kind = models.CharField(max_length=64)
    graph_id = models.CharField(max_length=200)
    name = models.CharField(max_length=300)

    # The plan, from the preview.
    action = models.CharField(max_length=16, choices=Action.choices, default="", blank=True)
    reason_code = models.CharField(max_length=64, default="", blank=True)
    message = models.TextField(default="", blank=True)
    next_step = models.TextField(default="", blank=True)
    #: Consequences of the write that may surprise, although nothing prevents it; one each line.
    warning = models.TextField(default="", blank=True)
    #: Redacted differences: {path, difference, before, after}.
    changes = models.JSONField(default=list)
    #: Objects that the tenant lacks, {kind, id}: those that it refers to, and those that an object
    #: of the set with the name `needed_by` refers to, which it lacks.
    missing = models.JSONField(default=list, db_default=[])
    target_id = models.CharField(max_length=200, default="", blank=True)
    live_hash = models.CharField(max_length=64, default="", blank=True)
    expected_hash = models.CharField(max_length=64, default="", blank=True)
    decision = models.CharField(max_length=8, choices=Decision.choices, default="", blank=True)

    # The result, from the execution.
    state = models.CharField(max_length=16, choices=ItemState.choices, default=ItemState.PLANNED)
    outcome_code = models.CharField(max_length=64, default="", blank=True)
    outcome_message = models.TextField(default="", blank=True)
    outcome_next_step = models.TextField(default="", blank=True)
    before_hash = models.CharField(max_length=64, default="", blank=True)
    after_hash = models.CharField(max_length=64, default="", blank=True)
    result_id = models.CharField(max_length=200, default="", blank=True)
    intent_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "restore_items"
        default_permissions = ("view",)
        ordering = ("restore", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("restore", "kind", "graph_id"), name="restore_items_once"
            ),
            models.CheckConstraint(
                condition=models.Q(action__in=Action.values)
                & models.Q(decision__in=Decision.values),
                name="restore_items_action_known",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ItemState.values), name="restore_items_state_known"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """The key of the item within a run."""
        return f"{self.kind}/{self.graph_id}"

    @property
    def kind_label(self) -> str:
        kind = KIND.get(self.kind)
        return kind.label if kind else self.kind

    @property
    def is_verified_in_part(self) -> bool:
        """Whether it was verified without parts that its backup does not contain.

        The message of the outcome names them.
        """
        return self.outcome_code == "restore_verified_without"

    @property
    def result_label(self) -> str:
        """The state in words: “verified” only where the whole object was compared."""
        return ItemState.APPLIED.label if self.is_verified_in_part else self.get_state_display()

    @property
    def is_written(self) -> bool:
        """Whether the object in the tenant has changed, or may have."""
        return self.state in (
            ItemState.INTENT,
            ItemState.APPLIED,
            ItemState.VERIFIED,
            ItemState.DIFFERS,
            ItemState.UNKNOWN,
        )

    @property
    def will_be_written(self) -> bool:
        """Whether an execution writes the object, as planned and decided."""
        if self.action == Action.CONFLICT:
            return self.decision in (Decision.TAKE, Decision.CREATE)
        return self.action in (Action.CREATE, Action.UPDATE)

    @property
    def written_id(self) -> str:
        """The id of the object that an execution writes to; empty if it creates one."""
        return "" if self.decision == Decision.CREATE else self.target_id

    @property
    def is_undecided(self) -> bool:
        """Whether it is a conflict that needs a decision."""
        return self.action == Action.CONFLICT and not self.decision

    @property
    def is_remaining(self) -> bool:
        """Whether a retry takes the object: it does not certainly match the backup."""
        return self.state in REMAINING_STATES or self.outcome_code == "restore_not_reached"

    def summary(self) -> dict[str, Any]:
        """The values that the digest of a preview covers."""
        return {
            "kind": self.kind,
            "graph_id": self.graph_id,
            "version": self.version_id,
            "action": self.action,
            "reason": self.reason_code,
            "target": self.target_id,
            "live": self.live_hash,
            "wanted": self.expected_hash,
        }


class Replacement(models.Model):
    """The object that restores of a tenant refer to in place of one that the tenant lacks."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    tenant = models.ForeignKey(
        Tenant,
        on_delete=models.CASCADE,
        related_name="replacements",
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(max_length=64)
    missing_id = models.CharField(max_length=200)
    replacement_id = models.CharField(max_length=200)
    #: Of the replacement, when it was chosen; empty for a kind that is never listed.
    name = models.CharField(max_length=300)
    created_at = models.DateTimeField(db_default=Now())

    objects = WorkspaceScopedQuerySet["Replacement"].as_manager()

    class Meta:
        db_table = "restore_replacements"
        default_permissions = ("view",)
        ordering = ("kind", "name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "kind", "missing_id"), name="replacements_one_per_object"
            ),
            models.CheckConstraint(
                condition=~models.Q(missing_id=models.F("replacement_id"))
                & ~models.Q(missing_id="")
                & ~models.Q(replacement_id=""),
                name="replacements_of_another_object",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name or self.replacement_id} for {self.missing_id}"

    @property
    def kind_label(self) -> str:
        kind = KIND.get(self.kind)
        return kind.label if kind else self.kind
