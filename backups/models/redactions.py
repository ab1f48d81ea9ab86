"""The redacted forms of policy versions."""

from __future__ import annotations

from django.db import models

from backups.models.sets import PolicyVersion
from redaction.exact_json import ExactDecoder


class VersionRedaction(models.Model):
    """What the rules hide in a version, so that a page need not apply them again.

    `patch` has the places that are hidden; see `redaction.patch`. A tick adds the row and renews it
    when the rules change. It is deleted with its version.
    """

    version = models.OneToOneField(
        PolicyVersion,
        on_delete=models.CASCADE,
        related_name="redaction",
        primary_key=True,
        db_constraint=False,
    )
    rules_version = models.PositiveIntegerField()
    patch = models.JSONField(decoder=ExactDecoder)
    #: How many of the values are hidden only because they look random.
    guessed = models.PositiveIntegerField()

    objects = models.Manager["VersionRedaction"]()

    class Meta:
        db_table = "policy_version_redactions"
        default_permissions = ("view",)
        indexes = (models.Index(fields=("rules_version",), name="redactions_rules"),)

    def __str__(self) -> str:
        return f"Redaction of version {self.version_id}"
