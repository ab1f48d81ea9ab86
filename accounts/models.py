"""The sessions of users; the models of the packages of this app are imported here."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from accounts.access_tokens.models import AccessToken, AccessTokenRate
from accounts.group_roles.models import GroupMembership, GroupRole
from accounts.invitations.models import Invitation
from accounts.password_reset.models import PasswordReset
from accounts.second_factor.models import CodeAttempts, RecoveryCode
from accounts.sign_in_links.models import SignInLink

__all__ = [
    "AccessToken",
    "AccessTokenRate",
    "CodeAttempts",
    "GroupMembership",
    "GroupRole",
    "Invitation",
    "PasswordReset",
    "RecoveryCode",
    "Session",
    "SessionQuerySet",
    "SignInLink",
]


class SessionQuerySet(models.QuerySet["Session"]):
    def alive(self) -> SessionQuerySet:
        """Return the sessions that are neither too old nor idle for too long."""
        idle = dt.timedelta(seconds=settings.SESSION_IDLE_SECONDS)
        return self.filter(expires_at__gt=Now(), last_seen_at__gt=Now() - idle)


class Session(models.Model):
    """A session of a browser, by the key in its cookie.

    `user` is None until the sign-in is complete. `expires_at` is set once: no activity extends it.
    """

    session_key = models.CharField(max_length=40, unique=True)
    session_data = models.TextField()
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="sessions"
    )
    created_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(db_index=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        db_table = "sessions"

    def __str__(self) -> str:
        return f"Session {self.pk}"
