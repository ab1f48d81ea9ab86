"""What the check of codes keeps: failed attempts, the last code of an app, and recovery codes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class CodeAttempts(models.Model):
    """The attempts of one user to enter a code, from whichever address and session.

    The row is locked while a code is checked, so that parallel guesses count and a code is used once.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)
    locked_until = models.DateTimeField(null=True)
    #: The time step of the newest code of the authenticator app that was accepted.
    last_step = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        db_table = "code_attempts"
        verbose_name_plural = "code attempts"

    def __str__(self) -> str:
        return f"Codes of user {self.pk}"


class RecoveryCode(models.Model):
    """A code that replaces the second factor once; only its hash is stored."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    #: SHA-256 in hexadecimal digits; the code has 120 random bits.
    code_hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(db_default=Now())
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "recovery_codes"
        constraints = (
            models.UniqueConstraint(fields=("user", "code_hash"), name="recovery_codes_once"),
            models.CheckConstraint(
                condition=Q(code_hash__regex="^[0-9a-f]{64}$"), name="recovery_codes_are_hashed"
            ),
        )

    def __str__(self) -> str:
        return f"Recovery code {self.pk}"
