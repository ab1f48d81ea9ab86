"""What the API remembers of requests: the runs to which idempotency keys led."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ApiSubmission(models.Model):
    """A request with an idempotency key: its submission, what it asked for, and the run it led to.

    The row is written in the transaction that starts the run, so that a key is used if and only if
    its run was started.
    """

    submission_id = models.UUIDField(primary_key=True)
    #: SHA-256 of the method, the address and the body.
    fingerprint = models.CharField(max_length=64)
    run_id = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "api_submissions"
        verbose_name = "API submission"
        default_permissions = ()
        indexes = (models.Index(fields=("created_at",), name="api_submissions_created"),)

    def __str__(self) -> str:
        return str(self.submission_id)
