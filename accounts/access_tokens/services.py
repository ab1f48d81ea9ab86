"""Creates and revokes access tokens; the only writer."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Collection
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models.functions import Now

from accounts.access_tokens import secrets
from accounts.access_tokens.models import AccessToken
from operations.catalog import OperationCatalog
from tenancy.capabilities import require_capability
from tenancy.models import Membership, User, Workspace
from tenancy.roles import Capability, Role

#: Usable tokens of one user in a workspace, and service tokens of a workspace.
MAX_TOKENS = 50
log = logging.getLogger(__name__)


class NewToken(NamedTuple):
    """A created token and its secret, which is not stored and cannot be shown again."""

    token: AccessToken
    secret: str


@transaction.atomic
def create_personal_token(
    user: User,
    workspace: Workspace,
    *,
    name: str,
    role: Role,
    days: int,
    operation_types: Collection[str] = (),
) -> NewToken:
    """Create a token that acts as its user, with at most this role.

    `operation_types` are those that it may start; none stands for all.

    Raises:
        PermissionDenied: the user is not a member, or is known by a token.
        ValidationError: a value is not valid.
    """
    members = Membership.objects.filter(user__is_active=True, workspace=workspace)
    if user.limit or not members.filter(user=user).exists():
        raise PermissionDenied("Only members create access tokens, on the pages of Runledger.")
    token = AccessToken(workspace=workspace, user=user, is_service=False, name=name, role=role)
    return _create(token, days, operation_types, by=user)


@transaction.atomic
def create_service_token(
    workspace: Workspace,
    *,
    by: User,
    name: str,
    role: Role,
    days: int,
    operation_types: Collection[str] = (),
) -> NewToken:
    """Create a token of the workspace with its service account.

    `operation_types` are those that it may start; none stands for all.

    Raises:
        PermissionDenied: the user is not an owner, or is known by a token.
        ValidationError: a value is not valid.
    """
    require_capability(by, workspace, Capability.MANAGE_MEMBERS)
    token = AccessToken(workspace=workspace, is_service=True, name=name, role=role)
    return _create(token, days, operation_types, by=by)


def revoke(token: AccessToken, *, by: User) -> bool:
    """Revoke a token at once; return False if it had ended before.

    The service account of a service token ends with it.
    """
    with transaction.atomic():
        revoked = AccessToken.objects.filter(pk=token.pk, revoked_at=None).update(
            revoked_at=Now(), revoked_by=by, revoked_by_name=by.get_username()
        )
        if revoked and token.is_service and token.user:
            User.objects.filter(pk=token.user.pk).update(is_active=False)
            Membership.objects.filter(user=token.user.pk).delete()
    if revoked:
        log.info("workspace %s: %s revoked %s", token.workspace_id, by, token)
    return bool(revoked)


def _create(token: AccessToken, days: int, types: Collection[str], *, by: User) -> NewToken:
    secret = secrets.create_secret()
    token.name = token.name.strip()
    token.hint = secrets.hint_of(secret)
    token.secret_hash = secrets.hash_secret(secret)
    token.operation_types = sorted(set(types)) or None
    token.created_by, token.created_by_name = by, by.get_username()
    _check(token, days)
    if token.is_service:
        token.user = _create_service_account(token)
    assert token.user is not None
    token.user_name = token.user.get_username()
    token.expires_at = Now() + dt.timedelta(days=days)
    token.save()
    token.refresh_from_db()
    log.info("workspace %s: %s created the token %s", token.workspace.slug, by, token)
    return NewToken(token, secret)


def _check(token: AccessToken, days: int) -> None:
    entered = {"name", "role"}
    names = {field.name for field in AccessToken._meta.fields}  # noqa: SLF001 - Django's own API
    token.clean_fields(exclude=names - entered)
    same_owner = AccessToken.objects.usable().filter(workspace=token.workspace)
    same_owner = same_owner.filter(is_service=token.is_service)
    if not token.is_service:
        same_owner = same_owner.filter(user=token.user)
    if same_owner.filter(name=token.name).exists():
        raise ValidationError({"name": "Another access token has this name."})
    if same_owner.count() >= MAX_TOKENS:
        raise ValidationError(f"There are {MAX_TOKENS} access tokens already. Revoke one first.")
    if not 1 <= days <= settings.ACCESS_TOKEN_MAX_DAYS:
        limit = settings.ACCESS_TOKEN_MAX_DAYS
        raise ValidationError({"days": f"A token expires after 1 to {limit} days."})
    known = {entry.value for entry in OperationCatalog.all()}
    if unknown := set(token.operation_types or ()) - known:
        text = f"{min(unknown)} is not an operation type."
        raise ValidationError({"operation_types": text})


def _create_service_account(token: AccessToken) -> User:
    """Create the user as whom a service token acts: with a role, and without any sign-in."""
    user = User(
        username=f"{token.name} (service token {token.hint})", is_service_account=True, email=""
    )
    user.set_unusable_password()
    user.save()
    Membership.objects.create(user=user, workspace=token.workspace, role=token.role)
    return user
