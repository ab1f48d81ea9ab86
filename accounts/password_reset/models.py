"""Requests for a password reset: an address, whether or not an account has it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Lower, Now


class PasswordReset(models.Model):
    """A request that waits for the next tick, which sends a link to the accounts of the address.

    The request is the same row for every address, so that neither the page nor its duration says
    whether an account exists. The row contains no link.
    """

    email = models.EmailField()
    #: The address of the site on which it was requested, for the link.
    site = models.CharField(max_length=300)
    requested_at = models.DateTimeField(db_default=Now())
    handled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "password_resets"
        indexes = (models.Index(Lower("email"), "requested_at", name="password_resets_of_email"),)

    def __str__(self) -> str:
        return f"Password reset of {self.email}"
