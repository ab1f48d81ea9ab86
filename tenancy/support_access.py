"""Read-only access of staff to a workspace of others: for a reason, for hours, seen by its owners.

`visible_to` shows the rows, `capabilities_of` grants nothing but `VIEW`, and the middleware refuses
every request that could write. All three end with the row.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponseBase

from tenancy.models import Membership, SupportAccess, User, Workspace
from tenancy.roles import Role

log = logging.getLogger(__name__)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REFUSAL = "Your support access to {} is read-only. Ask a member of the workspace to do this."


def open_access(workspace: Workspace, *, by: User, reason: str) -> SupportAccess:
    """Let a member of staff read a workspace for SUPPORT_ACCESS_HOURS.

    Raises:
        ValidationError: the reason is empty, or the user is a member or has access already.
    """
    if workspace.memberships.filter(user=by).exists():
        raise ValidationError(f"You are a member of {workspace.name}.")
    # An access that has expired is still open for the database.
    SupportAccess.objects.filter(user=by, ended_at=None, expires_at__lte=Now()).update(
        ended_at=Now()
    )
    access = SupportAccess(
        workspace=workspace,
        user=by,
        user_name=by.get_username(),
        reason=reason.strip(),
        expires_at=Now() + dt.timedelta(hours=settings.SUPPORT_ACCESS_HOURS),
    )
    access.clean_fields(exclude=["expires_at"])
    try:
        with transaction.atomic():
            access.save()
    except IntegrityError:
        raise ValidationError(f"You already have access to {workspace.name}.") from None
    log.warning("workspace %s: %s opened it for support: %s", workspace.slug, by, access.reason)
    return access


def end_access(access: SupportAccess, *, by: User) -> bool:
    """End an access at once; return False if it had ended before."""
    ended = (
        SupportAccess.objects.active()
        .filter(pk=access.pk)
        .update(ended_at=Now(), ended_by=by, ended_by_name=by.get_username())
    )
    if ended:
        log.info("workspace %s: %s ended %s", access.workspace.slug, by, access)
    return bool(ended)


def has_access(user: User, workspace: Workspace) -> bool:
    """Return whether a member of staff may read this workspace now."""
    return user.is_staff and user.support_accesses.active().filter(workspace=workspace).exists()


def shown_to(
    user: User | AnonymousUser, workspace: Workspace | OuterRef
) -> QuerySet[SupportAccess]:
    """Return the accesses that pages show now: to the user's own eyes, and to every owner."""
    owners = Membership.objects.filter(
        workspace=OuterRef("workspace"), user=user.pk, role=Role.OWNER
    )
    return SupportAccess.objects.active().filter(
        Q(user=user.pk) | Q(Exists(owners)), workspace=workspace
    )


class SupportAccessMiddleware:
    """Refuses requests that could write to a workspace that the user only reads as support."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> None:
        """Check the workspace in the address.

        Raises:
            PermissionDenied: the user has support access to it and is no member.
        """
        user, slug = request.user, view_kwargs.get("slug")
        if request.method in SAFE_METHODS or slug is None:
            return
        if not (isinstance(user, User) and user.is_active and user.is_staff):
            return
        accesses = user.support_accesses.active().filter(workspace__slug=slug)
        members = Membership.objects.filter(user=user, workspace=OuterRef("workspace"))
        access = accesses.exclude(Exists(members)).select_related("workspace").first()
        if access is not None:
            raise PermissionDenied(REFUSAL.format(access.workspace.name))
