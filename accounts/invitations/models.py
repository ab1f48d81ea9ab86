"""Invitations: who may join which workspace with which role, until when."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from tenancy.clock import request_now
from tenancy.models import Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Role

_PENDING = Q(accepted_at__isnull=True, revoked_at__isnull=True)


class InvitationQuerySet(WorkspaceScopedQuerySet["Invitation"]):
    def pending(self) -> Self:
        """Return the invitations that are neither accepted nor revoked; they may have expired."""
        return self.filter(_PENDING)

    def open(self) -> Self:
        """Return the invitations that can be accepted now."""
        return self.filter(_PENDING, expires_at__gt=Now())


class Invitation(models.Model):
    """A link by e-mail that lets one user join a workspace once.

    Only a hash of the link is stored. Triggers keep the workspace, the address and the role, and an
    accepted or revoked invitation as it is.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=20, choices=Role.choices)
    #: SHA-256 of the token in the link, in hexadecimal digits.
    link_hash = models.CharField(max_length=64, unique=True)
    #: None if a command created the invitation, or if the account was deleted.
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: Empty if a command created the invitation.
    invited_by_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    #: When the current link was created.
    renewed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    #: Whether the mail server accepted the message with the current link.
    is_sent = models.BooleanField(default=False, db_default=False)
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        db_table = "invitations"
        ordering = ("email", "id")
        constraints = (
            models.UniqueConstraint(
                "workspace", Lower("email"), condition=_PENDING, name="invitations_one_per_address"
            ),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="invitations_role_known"
            ),
            models.CheckConstraint(
                condition=Q(link_hash__regex="^[0-9a-f]{64}$"), name="invitations_link_is_hashed"
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(revoked_at__isnull=True),
                name="invitations_one_end",
            ),
        )

    def __str__(self) -> str:
        return f"{self.email} to {self.workspace}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= request_now()
