"""Access tokens: with which programs use the API, in the name of a user or of a workspace."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from tenancy.clock import request_now
from tenancy.models import User, Workspace
from tenancy.querysets import WorkspaceScopedQuerySet
from tenancy.roles import Role
from web.names import validate_name

#: Nothing that an owner alone may do is done with a token: it manages no members and no tokens.
TOKEN_ROLES = (Role.READER, Role.OPERATOR, Role.MANAGER)
#: How long a token is listed after its end.
LISTED_AFTER_END = dt.timedelta(days=30)
#: The database refuses more, whatever the setting says.
MAX_TOKEN_DAYS = 731


class AccessTokenQuerySet(WorkspaceScopedQuerySet["AccessToken"]):
    def usable(self) -> Self:
        """Return the tokens that are neither revoked nor expired."""
        return self.filter(revoked_at=None, expires_at__gt=Now())

    def listed(self) -> Self:
        """Return the tokens that pages list: usable ones first, and those that ended recently."""
        since = Now() - LISTED_AFTER_END
        listed = self.filter(Q(revoked_at=None) | Q(revoked_at__gt=since), expires_at__gt=since)
        has_ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=Now())
        return listed.alias(has_ended=has_ended).order_by("has_ended", "-created_at", "-id")


def service_accounts_created_by(user_id: int) -> models.QuerySet[Any, Any]:
    """Return the ids of the service accounts whose token the user has created, and so has seen."""
    tokens = AccessToken.objects.filter(is_service=True, created_by=user_id, user__isnull=False)
    return tokens.order_by().values("user")


def is_same_person(person: User, user: User) -> bool:
    """Return whether a user is this person, or a service account whose token the person has seen."""
    if not user.is_service_account:
        return person.pk == user.pk
    return service_accounts_created_by(person.pk).filter(user=user).exists()


class AccessToken(models.Model):
    """A token of a user, or of a workspace (a service token), for one workspace.

    A service token acts as a service account: a user of this token only, who cannot sign in. Only
    a hash of the secret is stored. Triggers keep what a token may do, and its end.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="access_tokens")
    #: The user as whom the token acts; None once the account is deleted.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="access_tokens"
    )
    user_name = models.CharField(max_length=150)
    is_service = models.BooleanField()
    name = models.CharField(max_length=60, validators=[validate_name])
    #: The first random characters of the secret, by which its owner recognizes it.
    hint = models.CharField(max_length=6)
    #: SHA-256 of the secret, in hexadecimal digits. The secret has 190 random bits, so that no slow
    #: hash is needed: there is nothing to guess, and every request computes it.
    secret_hash = models.CharField(max_length=64, unique=True)
    #: The highest role; the token never has more than the current role of its user.
    role = models.CharField(
        max_length=20, choices=[(role.value, role.label) for role in TOKEN_ROLES]
    )
    #: The operation types that the token may start; None for all.
    operation_types = ArrayField(models.CharField(max_length=100), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.GenericIPAddressField(null=True)
    #: When a user revoked it, or the membership or the account of its user ended.
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    #: Empty if no user revoked it.
    revoked_by_name = models.CharField(max_length=150, default="", db_default="")

    objects = AccessTokenQuerySet.as_manager()

    class Meta:
        db_table = "access_tokens"
        ordering = ("-created_at", "-id")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=("user",), condition=Q(is_service=True), name="access_tokens_one_of_account"
            ),
            models.CheckConstraint(
                condition=Q(role__in=[role.value for role in TOKEN_ROLES]),
                name="access_tokens_role_known",
            ),
            models.CheckConstraint(
                condition=Q(secret_hash__regex="^[0-9a-f]{64}$"),  # noqa: S106  # nosec B106
                name="access_tokens_hashed",
            ),
            models.CheckConstraint(
                condition=Q(operation_types=None) | Q(operation_types__len__gt=0),
                name="access_tokens_types_named",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="access_tokens_expire_later"
            ),
            models.CheckConstraint(
                condition=Q(user__isnull=False) | Q(revoked_at__isnull=False),
                name="access_tokens_end_with_user",
            ),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=False) | Q(revoked_by_name=""),
                name="access_tokens_revoked_by_a_user",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= request_now()

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and not self.is_expired


class AccessTokenRate(models.Model):
    """The requests of a token in the current window; the table is not logged (see its migration)."""

    token = models.OneToOneField(
        AccessToken, on_delete=models.CASCADE, primary_key=True, related_name="rate"
    )
    started_at = models.DateTimeField()
    requests = models.PositiveIntegerField()

    class Meta:
        db_table = "access_token_rates"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.requests} requests"
