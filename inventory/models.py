"""Policies, groups and role definitions of a tenant as of the last sync.

Tenant, kind and Graph id identify an object. A row of an object that is missing from the tenant is
marked, never deleted; the mark is removed when a list contains the object again.
`inventory.mirror` writes the rows.
"""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from inventory.kinds import label_of
from tenancy.models import Tenant, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet

M = TypeVar("M", bound="Mirrored")
PRESENT = models.Q(missing_since__isnull=True)


class MirroredQuerySet(WorkspaceScopedQuerySet[M]):
    def present(self) -> Self:
        """Objects that the last complete list contained."""
        return self.filter(PRESENT)

    def missing(self) -> Self:
        """Objects that were deleted in the tenant."""
        return self.exclude(PRESENT)

    def with_scope(self) -> Self:
        return self.select_related("workspace", "tenant")


class Mirrored(models.Model):
    """One object of a tenant. A sync writes the row only when the object has changed."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    graph_id = models.CharField("Graph ID", max_length=200)
    name = models.CharField(max_length=300)
    description = models.CharField(max_length=1000, default="", blank=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    #: When a sync last wrote changed data of the object.
    changed_at = models.DateTimeField(db_default=Now())
    #: When a complete list first did not contain the object.
    missing_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ("name", "id")
        default_permissions = ("view",)
        constraints: ClassVar[tuple[models.BaseConstraint, ...]] = (
            models.CheckConstraint(condition=~models.Q(graph_id=""), name="%(class)s_has_an_id"),
            models.CheckConstraint(
                condition=PRESENT | models.Q(missing_since__gte=models.F("first_seen_at")),
                name="%(class)s_missing_after_seen",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_missing(self) -> bool:
        return self.missing_since is not None


#: The states of a conditional access policy in Graph, and their labels.
STATES = {
    "enabled": "On",
    "disabled": "Off",
    "enabledForReportingButNotEnforced": "Report-only",
}


class Policy(Mirrored):
    """A policy, or a named location, which policies refer to."""

    kind = models.CharField(max_length=64)
    #: The Graph type, for kinds with several types: "windows10CustomConfiguration".
    object_type = models.CharField(max_length=200, default="", blank=True)
    platform = models.CharField(max_length=100, default="", blank=True)
    #: The state of a conditional access policy, see `STATES`.
    state = models.CharField(max_length=64, default="", blank=True)
    is_assigned = models.BooleanField(null=True, blank=True)
    #: Graph's lastModifiedDateTime.
    last_modified_at = models.DateTimeField(null=True, blank=True)

    objects = MirroredQuerySet["Policy"].as_manager()

    class Meta(Mirrored.Meta):
        db_table = "policies"
        verbose_name_plural = "policies"
        indexes = (
            models.Index(fields=("workspace", "name", "id"), name="policies_by_name"),
            models.Index(fields=("workspace", "kind", "name", "id"), name="policies_by_kind"),
            models.Index(fields=("graph_id",), name="policies_by_graph_id"),
        )
        constraints = (
            *Mirrored.Meta.constraints,
            models.UniqueConstraint(
                fields=("tenant", "kind", "graph_id"), name="policies_once_per_object"
            ),
        )

    def get_absolute_url(self) -> str:
        return reverse("policy_detail", args=[self.workspace.slug, self.pk])

    @property
    def state_label(self) -> str:
        """The state as Microsoft's pages name it."""
        return STATES.get(self.state, self.state)

    @property
    def kind_label(self) -> str:
        return label_of(self.kind)


class GroupType(models.TextChoices):
    SECURITY = "security", "Security"
    MICROSOFT_365 = "microsoft_365", "Microsoft 365"
    MAIL_SECURITY = "mail_security", "Mail-enabled security"
    DISTRIBUTION = "distribution", "Distribution"


class DirectoryGroup(Mirrored):
    """A group of the tenant's directory, to which policies are assigned."""

    group_type = models.CharField(max_length=20, choices=GroupType.choices)
    is_dynamic = models.BooleanField(default=False)
    membership_rule = models.CharField(max_length=4000, default="", blank=True)
    is_synced = models.BooleanField("synced from on-premises", default=False)
    is_assignable_to_role = models.BooleanField(default=False)

    objects = MirroredQuerySet["DirectoryGroup"].as_manager()

    class Meta(Mirrored.Meta):
        db_table = "directory_groups"
        indexes = (
            models.Index(fields=("workspace", "name", "id"), name="groups_by_name"),
            models.Index(fields=("graph_id",), name="groups_by_graph_id"),
        )
        constraints = (
            *Mirrored.Meta.constraints,
            models.UniqueConstraint(fields=("tenant", "graph_id"), name="groups_once_per_object"),
            models.CheckConstraint(
                condition=models.Q(group_type__in=GroupType.values), name="groups_type_known"
            ),
        )

    def get_absolute_url(self) -> str:
        return reverse("group_detail", args=[self.workspace.slug, self.pk])


class RoleDefinition(Mirrored):
    """A role of the tenant's directory, built-in or custom."""

    template_id = models.CharField(max_length=200, default="", blank=True)
    is_built_in = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    #: The permissions of the role: ["microsoft.directory/users/standard/read", …].
    actions = ArrayField(models.CharField(max_length=300), default=list, blank=True)

    objects = MirroredQuerySet["RoleDefinition"].as_manager()

    class Meta(Mirrored.Meta):
        db_table = "directory_role_definitions"
        indexes = (
            models.Index(fields=("workspace", "name", "id"), name="roles_by_name"),
            models.Index(fields=("graph_id",), name="roles_by_graph_id"),
        )
        constraints = (
            *Mirrored.Meta.constraints,
            models.UniqueConstraint(fields=("tenant", "graph_id"), name="roles_once_per_object"),
        )

    def get_absolute_url(self) -> str:
        return reverse("role_definition_detail", args=[self.workspace.slug, self.pk])
