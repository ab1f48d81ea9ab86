"""The changes of policies that backups found, which outlive the backup sets."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.urls import reverse

from backups import kinds
from backups.models.sets import BackupItem, BackupSet
from providers.graph.audit_logs import audit_log_of
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet

SHOWN_FIELDS = 3


class Change(models.TextChoices):
    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    REMOVED = "removed", "Removed"


class AuthorGap(models.TextChoices):
    """Why the author of a change is not known."""

    PERMISSION = "permission", "The connection may not read the audit log."
    NOT_LOGGED = "not_logged", "The audit log has no entry for it."
    UNREADABLE = "unreadable", "The audit log could not be read."
    NOT_READ = "not_read", "The audit log was not read."


class PolicyChangeQuerySet(WorkspaceScopedQuerySet["PolicyChange"]):
    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant", "backup_set__schedule", "previous_set")


class PolicyChange(models.Model):
    """One object that a backup found created, changed or removed since the set before.

    A state of an object is recorded once, by the first set that contains it. `item` and `before`
    are the object now and before. They exist as long as their sets, which retention removes.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    backup_set = models.ForeignKey(
        BackupSet, on_delete=models.SET_NULL, related_name="changes", null=True, blank=True
    )
    previous_set = models.ForeignKey(
        BackupSet, on_delete=models.SET_NULL, related_name="+", null=True, blank=True
    )
    item = models.ForeignKey(
        BackupItem,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    before = models.ForeignKey(
        BackupItem,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
    )
    change = models.CharField(max_length=16, choices=Change.choices)
    kind = models.CharField(max_length=64)
    graph_id = models.CharField("Graph ID", max_length=200)
    name = models.CharField(max_length=300)
    #: The first changed fields, as paths, and the number of all.
    fields = models.JSONField(default=list, db_default=[], blank=True)
    field_count = models.PositiveIntegerField(default=0, db_default=0)
    #: The normalized hash of the content now; empty for a removed object.
    content_hash = models.CharField(max_length=64, default="", db_default="", blank=True)
    #: Who made the change, from the tenant's audit log, and when; or why that is not known.
    author = models.CharField(max_length=300, default="", db_default="", blank=True)
    changed_at = models.DateTimeField(null=True, blank=True)
    author_gap = models.CharField(
        max_length=16,
        choices=AuthorGap.choices,
        default=AuthorGap.NOT_READ,
        db_default=AuthorGap.NOT_READ,
        blank=True,
    )
    #: When the backup that found the change ended.
    created_at = models.DateTimeField()

    objects = PolicyChangeQuerySet.as_manager()

    class Meta:
        db_table = "policy_changes"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="changes_ws"),
            models.Index(fields=("tenant", "created_at", "id"), name="changes_tenant"),
            models.Index(fields=("workspace", "kind", "created_at", "id"), name="changes_kind"),
            models.Index(fields=("workspace", "change", "created_at", "id"), name="changes_change"),
            models.Index(
                fields=("tenant", "kind", "graph_id", "created_at", "id"), name="changes_of_object"
            ),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("backup_set", "kind", "graph_id"), name="changes_once_per_object"
            ),
            models.CheckConstraint(
                condition=models.Q(change=Change.CREATED, item__isnull=False, before=None)
                | models.Q(change=Change.CHANGED, item__isnull=False, before__isnull=False)
                | models.Q(change=Change.REMOVED, item=None, before__isnull=False),
                name="changes_have_their_items",
            ),
            models.CheckConstraint(
                condition=models.Q(change=Change.REMOVED, content_hash="")
                | ~models.Q(change=Change.REMOVED) & ~models.Q(content_hash=""),
                name="changes_have_a_content",
            ),
            models.CheckConstraint(
                condition=models.Q(author="", changed_at=None, author_gap__in=AuthorGap.values)
                | ~models.Q(author="") & models.Q(changed_at__isnull=False, author_gap=""),
                name="changes_author_or_gap",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.get_change_display()}"

    def get_absolute_url(self) -> str:
        """The differences, the object that was created, or the last content of a removed one.

        Empty after retention removed the backup set.
        """
        slug = self.workspace.slug
        if self.change == Change.REMOVED:
            if self.previous_set_id is None:
                return ""
            return reverse("backup_item_detail", args=[slug, self.previous_set_id, self.before_id])
        if self.backup_set_id is None:
            return ""
        if self.change == Change.CREATED or self.previous_set_id is None:
            return reverse("backup_item_detail", args=[slug, self.backup_set_id, self.item_id])
        url = reverse("backup_item_changes", args=[slug, self.backup_set_id, self.item_id])
        return f"{url}?with={self.before_id}"

    @property
    def kind_label(self) -> str:
        return kinds.label_of(self.kind)

    @property
    def first_fields(self) -> list[str]:
        """The fields that a list shows."""
        return list(self.fields[:SHOWN_FIELDS])

    @property
    def more_fields(self) -> int:
        """The number of other changed fields."""
        return max(0, self.field_count - SHOWN_FIELDS)

    @property
    def gap_text(self) -> str:
        """Why the author is not known; empty if it is."""
        if self.author_gap == AuthorGap.PERMISSION:
            return f"Permission missing: {audit_log_of(self.kind).permissions_text}."
        return AuthorGap(self.author_gap).label if self.author_gap else ""
