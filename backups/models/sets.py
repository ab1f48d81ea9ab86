"""Backup sets, their items, and the versions of policies that the items refer to.

Tenant, kind and Graph id identify an object; its name does not. Migration 0002 adds the database
guards that Django's constraints cannot express.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from backups import kinds
from backups.models.schedules import BackupSchedule
from operations.models import OperationRun
from operations.reasons import get_reason
from redaction.exact_json import ExactDecoder
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet


class SetStatus(models.TextChoices):
    BUILDING = "building", "Building"
    COMPLETE = "complete", "Complete"
    INCOMPLETE = "incomplete", "Incomplete"
    FAILED = "failed", "Failed"


class SetPurpose(models.TextChoices):
    """What a set was created for: a backup of a schedule, or a selection of policies."""

    SCHEDULE = "schedule", "Schedule"
    SELECTION = "selection", "Selection"


class BackupSetQuerySet(WorkspaceScopedQuerySet["BackupSet"]):
    def complete(self) -> Self:
        """Complete backups of tenants, without selections."""
        return self.filter(status=SetStatus.COMPLETE, purpose=SetPurpose.SCHEDULE)

    def newest_first(self) -> Self:
        return self.order_by("-started_at", "-id")

    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant", "schedule")


class BackupSet(models.Model):
    """The objects that one backup captured.

    A set is complete if every kind was listed completely and every item was read completely. Items
    are added while it is building and never change afterward. A selection is a named set of chosen
    policies, to which several runs can add.
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
        BackupSchedule,
        on_delete=models.SET_NULL,
        related_name="sets",
        null=True,
        blank=True,
        db_index=False,  # `sets_schedule` begins with it.
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
    #: The name of a selection; empty for a backup of a schedule.
    name = models.CharField(max_length=200, default="", db_default="", blank=True)
    status = models.CharField(max_length=16, choices=SetStatus.choices, default=SetStatus.BUILDING)
    #: The kinds to capture, without those that the tenant has no license for.
    kinds = ArrayField(models.CharField(max_length=64))
    #: The kinds that were listed completely.
    listed_kinds = ArrayField(models.CharField(max_length=64), default=list, db_default=[])
    #: Why a kind could not be listed: {kind: reason code}.
    unlisted = models.JSONField(default=dict, db_default={})
    #: Objects in a list that are of no known kind, by type: {kind: {type: number}}.
    left_out = models.JSONField(default=dict, db_default={})
    #: Its own items, and those that it shares with other sets. The stubs of Django do not know that a
    #: relation has the methods of the query set.
    items: BackupItemQuerySet = models.ManyToManyField(  # type: ignore[assignment]
        "BackupItem", through="SetItem", related_name="+"
    )
    item_count = models.PositiveIntegerField(default=0, db_default=0)
    incomplete_count = models.PositiveIntegerField(default=0, db_default=0)
    #: When the changes since the earlier set were counted; see `backups.recording`.
    compared_at = models.DateTimeField(null=True, blank=True)
    #: The set that this one was compared with; null without one, and after retention removed it.
    compared_with = models.ForeignKey(
        "self", on_delete=models.SET_NULL, related_name="compared_by", null=True, blank=True
    )
    #: The objects that were created, changed and removed since; null if there was no earlier set.
    created_count = models.PositiveIntegerField(null=True, blank=True)
    changed_count = models.PositiveIntegerField(null=True, blank=True)
    removed_count = models.PositiveIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = BackupSetQuerySet.as_manager()

    class Meta:
        db_table = "backup_sets"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "started_at", "id"), name="sets_ws"),
            models.Index(fields=("tenant", "started_at", "id"), name="sets_tenant"),
            models.Index(fields=("schedule", "started_at", "id"), name="sets_schedule"),
            models.Index(
                fields=("workspace", "tenant", "ended_at"),
                name="sets_complete",
                condition=models.Q(status=SetStatus.COMPLETE, purpose=SetPurpose.SCHEDULE),
            ),
            models.Index(
                fields=("started_at", "id"),
                name="sets_uncompared",
                condition=models.Q(compared_at=None, purpose=SetPurpose.SCHEDULE)
                & ~models.Q(status=SetStatus.BUILDING),
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
                condition=models.Q(status=SetStatus.BUILDING, ended_at__isnull=True)
                | ~models.Q(status=SetStatus.BUILDING) & models.Q(ended_at__isnull=False),
                name="sets_building_or_finished",
            ),
            models.CheckConstraint(
                condition=~models.Q(status=SetStatus.COMPLETE)
                | models.Q(incomplete_count=0, listed_kinds__contains=models.F("kinds")),
                name="sets_complete_covers_kinds",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    created_count=None, changed_count=None, removed_count=None, compared_with=None
                )
                | models.Q(
                    created_count__isnull=False,
                    changed_count__isnull=False,
                    removed_count__isnull=False,
                    compared_at__isnull=False,
                ),
                name="sets_changes_counted_together",
            ),
            models.CheckConstraint(
                condition=models.Q(created_count=None)
                | models.Q(item_count__gte=models.F("created_count") + models.F("changed_count")),
                name="sets_changes_within_items",
            ),
            models.CheckConstraint(
                condition=models.Q(compared_at=None)
                | models.Q(purpose=SetPurpose.SCHEDULE) & ~models.Q(status=SetStatus.BUILDING),
                name="sets_compared_when_finished",
            ),
        )

    def __str__(self) -> str:
        if self.name:
            return f"“{self.name}”"
        return f"Backup set {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("backup_set_detail", args=[self.workspace.slug, self.pk])

    @property
    def is_complete(self) -> bool:
        return self.status == SetStatus.COMPLETE

    @property
    def has_change_counts(self) -> bool:
        """Whether there was an earlier set to compare with."""
        return self.created_count is not None

    @property
    def missing_kinds(self) -> list[str]:
        """Kinds that were not listed completely."""
        return [kind for kind in self.kinds if kind not in self.listed_kinds]

    @property
    def unlicensed_kinds(self) -> list[str]:
        """Kinds that were left out because the tenant has no license for them."""
        return [kind for kind in self.unlisted if kind not in self.kinds]


class PolicyVersion(models.Model):
    """One content of a policy, stored once per workspace and never changed.

    `content_hash` is the hash of the payload as received. `normalized_hash` ignores time stamps and
    the order of sets: if it is equal, the policy is unchanged.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="policy_versions", db_index=False
    )
    content_hash = models.CharField(max_length=64)
    normalized_hash = models.CharField(max_length=64)
    payload = models.JSONField(decoder=ExactDecoder)
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


class VersionCandidate(models.Model):
    """A content that is new or lost its last reference; it is deleted if no set refers to it.

    Triggers add candidates, and a function of the database removes them with the content.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    version_id = models.BigIntegerField()

    objects = models.Manager["VersionCandidate"]()

    class Meta:
        db_table = "policy_version_candidates"
        default_permissions = ("view",)
        indexes = (models.Index(fields=("workspace", "id"), name="version_candidates_ws"),)

    def __str__(self) -> str:
        return f"Version {self.version_id}"


class BackupItemQuerySet(WorkspaceScopedQuerySet["BackupItem"]):
    def incomplete(self) -> Self:
        return self.filter(complete=False)

    def with_reuse(self, backup_set: BackupSet) -> Self:
        """Add `is_reused` to items of a set: whether an item was not read for this set.

        The object had not changed since it was read for an earlier one.
        """
        is_shared = models.Q(memberships__is_read=False)
        # Earlier versions copied such items.
        is_copied = models.Q(
            memberships__is_read=None, complete=True, captured_at__lt=backup_set.started_at
        )
        return self.annotate(
            is_reused=models.Case(
                models.When(is_shared | is_copied, then=True),
                default=False,
                output_field=models.BooleanField(),
            )
        )

    def reused_in(self, backup_set: BackupSet) -> Self:
        """The items of a set that were not read for it."""
        items: Any = self.with_reuse(backup_set)
        reused: Self = items.filter(is_reused=True)
        return reused


class BackupItem(models.Model):
    """One object in a set, and the version of it that was read.

    The row is created when the object is listed, with the reason `not_attempted_in_set`, so that the
    set shows what is missing even if its worker dies. Reading the object completes the row. Later
    sets share it as long as the object is unchanged: `BackupSet.items` has the items of a set.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    #: The set that it was read for; null if that was deleted and others share the item.
    backup_set = models.ForeignKey(
        BackupSet,
        on_delete=models.CASCADE,
        related_name="own_items",
        db_column="set_id",
        db_index=False,
        null=True,
    )
    kind = models.CharField(max_length=64)
    graph_id = models.CharField("Graph ID", max_length=200)
    name = models.CharField(max_length=300)
    version = models.ForeignKey(
        PolicyVersion, on_delete=models.PROTECT, related_name="items", null=True, blank=True
    )
    complete = models.BooleanField(default=False)
    #: The parts that were not read, such as ["settings: 25 of 118"].
    missing = models.JSONField(default=list, db_default=[])
    reason_code = models.CharField(max_length=64, default="", blank=True)
    captured_at = models.DateTimeField(null=True, blank=True)
    #: Graph's lastModifiedDateTime.
    last_modified_at = models.DateTimeField(null=True, blank=True)
    #: The hash of the entry in the list, if it shows each change of the object; see `backups.reuse`.
    listed_hash = models.CharField(max_length=64, default="", db_default="", blank=True)

    #: A set that contains it, where a page shows items of several sets.
    shown_set_id: int | None

    objects = BackupItemQuerySet.as_manager()

    class Meta:
        db_table = "backup_items"
        default_permissions = ("view",)
        ordering = ("kind", "name", "id")
        indexes = (
            models.Index(fields=("tenant", "kind", "graph_id", "id"), name="items_of_object"),
            models.Index(
                fields=("id",), name="items_incomplete", condition=models.Q(complete=False)
            ),
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
                name="items_complete_has_content",
            ),
            models.CheckConstraint(
                condition=models.Q(complete=True) | ~models.Q(reason_code=""),
                name="items_incomplete_has_reason",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of the item in the set that it was read for, or in another one."""
        backup_set = self.backup_set
        if backup_set is None:
            backup_set = SetItem.objects.of([self]).latest().backup_set
        return self.url_in(backup_set)

    def url_in(self, backup_set: BackupSet) -> str:
        """Return the address of the item in a set that contains it."""
        slug = backup_set.workspace.slug
        return reverse("backup_item_detail", args=[slug, backup_set.pk, self.pk])

    @property
    def kind_label(self) -> str:
        return kinds.label_of(self.kind)

    @property
    def reason_label(self) -> str:
        if not self.reason_code:
            return ""
        return get_reason(self.reason_code).label


class SharedItems(models.Model):
    """Items of earlier sets that a set shares, because their objects have not changed since.

    One row has many of one kind. `is_read` says whether the objects were read again for the set, or
    their list showed that they had not changed. Migration 0023 adds the guards.
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
        related_name="shared_items",
        db_column="set_id",
        db_index=False,
    )
    kind = models.CharField(max_length=64)
    is_read = models.BooleanField()
    item_ids = ArrayField(models.BigIntegerField())

    objects = WorkspaceScopedQuerySet["SharedItems"].as_manager()

    class Meta:
        db_table = "backup_shared_items"
        default_permissions = ("view",)
        verbose_name_plural = "shared items"
        indexes = (
            models.Index(fields=("backup_set", "kind"), name="shared_items_of_set"),
            models.Index(fields=("tenant", "kind"), name="shared_items_of_tenant"),
        )

    def __str__(self) -> str:
        return f"{len(self.item_ids)} shared items of {self.backup_set}"


class SetItemQuerySet(models.QuerySet["SetItem"]):
    def of(self, items: Iterable[BackupItem]) -> Self:
        """The sets that contain these items, which are of one tenant and kind."""
        rows = list(items)
        if not rows:
            return self.none()
        return self.filter(tenant=rows[0].tenant_id, kind=rows[0].kind, item__in=rows)


class SetItem(models.Model):
    """An item of a set: a row of the view that joins the items read for it and those that it shares.

    Only the items of one set, and items of one kind and tenant, are found by an index.
    """

    pk = models.CompositePrimaryKey("backup_set_id", "item_id")
    backup_set = models.ForeignKey(
        BackupSet, on_delete=models.DO_NOTHING, related_name="+", db_column="set_id"
    )
    item = models.ForeignKey(BackupItem, on_delete=models.DO_NOTHING, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.DO_NOTHING, related_name="+")
    kind = models.CharField(max_length=64)
    #: Whether a shared item was read again for the set; null for an item of the set.
    is_read = models.BooleanField(null=True)

    objects = SetItemQuerySet.as_manager()

    class Meta:
        db_table = "backup_set_items"
        default_permissions = ()
        get_latest_by = "backup_set_id"
        managed = False

    def __str__(self) -> str:
        return f"{self.item} in {self.backup_set}"

    def get_absolute_url(self) -> str:
        return self.item.url_in(self.backup_set)
