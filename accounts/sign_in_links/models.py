"""Links that sign a user in once, for an installation whose identity provider does not work."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class SignInLink(models.Model):
    """A link that a command printed. Only its hash is stored, and triggers keep what it is."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sign_in_links"
    )
    #: SHA-256 of the token in the link, in hexadecimal digits.
    link_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sign_in_links"
        verbose_name = "sign-in link"

    def __str__(self) -> str:
        return f"Sign-in link of {self.user}"
