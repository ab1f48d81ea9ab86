"""The entries of the audit log, and the chain of hashes over them.

Only functions of the database write both (`migrations/sql/`); nothing changes them, and only
retention deletes the oldest ones.
"""

from __future__ import annotations

from typing import Self

from django.db import models

from tenancy.models import Workspace
from tenancy.querysets import WorkspaceScopedQuerySet


class AuditEntryQuerySet(WorkspaceScopedQuerySet["AuditEntry"]):
    def newest_first(self) -> Self:
        return self.order_by("-created_at", "-id")

    def about(self, table: str, object_id: object) -> Self:
        """Return the entries of one object."""
        return self.filter(object_type=table, object_id=str(object_id))


class AuditEntry(models.Model):
    """One change of a row, or one event such as a sign-in.

    What is about a user has an entry in each workspace of that user. Ids and names are copies: they
    stay when the object or the user is deleted.
    """

    created_at = models.DateTimeField()
    #: "created", "updated", "deleted", or the name of an event.
    action = models.CharField(max_length=40)
    #: The table of the object; empty for an event without an object.
    object_type = models.CharField(max_length=63, blank=True)
    object_id = models.CharField(max_length=40, blank=True)
    object_name = models.CharField(max_length=300, blank=True)
    #: The part of the object that changed, such as an item of a restore.
    part = models.CharField(max_length=300, blank=True)
    workspace = models.ForeignKey(
        Workspace,
        on_delete=models.DO_NOTHING,
        related_name="+",
        null=True,
        db_constraint=False,
        db_index=False,
    )
    tenant_id = models.BigIntegerField(null=True)
    user_id = models.BigIntegerField(null=True)
    user_name = models.CharField(max_length=150, blank=True)
    #: What made the change: a page, an access token, a command, a task, or SQL that did not come from
    #: Runledger.
    origin = models.CharField(max_length=100)
    address = models.GenericIPAddressField(null=True)
    #: The reference of the request, or the run of a worker.
    reference = models.CharField(max_length=40, blank=True)
    database_role = models.CharField(max_length=63)
    #: The values before and after by column; "changed" for a secret.
    changes = models.JSONField(default=dict)
    #: What else is known about an event.
    details = models.JSONField(default=dict)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        db_table = "audit_entries"
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=("workspace", "created_at", "id"), name="audit_ws"),
            models.Index(
                fields=("object_type", "object_id", "created_at", "id"), name="audit_object"
            ),
            models.Index(fields=("created_at", "id"), name="audit_newest"),
        )

    def __str__(self) -> str:
        return f"{self.object_name or self.object_id}: {self.action}"

    @property
    def access_token(self) -> str:
        """The access token with which the user made the change; empty without one."""
        kind, _, name = self.origin.partition(" ")
        return name if kind == "token" else ""


class AuditLink(models.Model):
    """The hash of an entry and of the link before it; `audit_seal` adds the links, in order."""

    position = models.BigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    previous_hash = models.BinaryField()
    hash = models.BinaryField()

    objects = models.Manager["AuditLink"]()

    class Meta:
        db_table = "audit_links"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"Link {self.position}"
