"""Creates and uses sign-in links."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets

from django.db.models.functions import Now

from accounts.sign_in_links.models import SignInLink
from tenancy.models import User

log = logging.getLogger(__name__)


def create_link(user: User, *, minutes: int) -> str:
    """Create a link for a user.

    Returns:
        The token for the link, which is not stored.
    """
    token = secrets.token_urlsafe(32)
    expires_at = Now() + dt.timedelta(minutes=minutes)
    SignInLink.objects.create(user=user, link_hash=_hash(token), expires_at=expires_at)
    log.warning("a command created a sign-in link for %s", user)
    return token


def find_link(token: str) -> SignInLink | None:
    """Return the link, unless it is unknown, used or expired, or the account is disabled."""
    usable = SignInLink.objects.filter(
        link_hash=_hash(token), used_at=None, expires_at__gt=Now(), user__is_active=True
    )
    return usable.select_related("user").first()


def use_link(token: str) -> User | None:
    """Use the link up; return its user, or None if it cannot be used. One of two requests wins."""
    link = find_link(token)
    if link is None or not SignInLink.objects.filter(pk=link.pk, used_at=None).update(
        used_at=Now()
    ):
        return None
    log.warning("%s signs in with a link that a command created", link.user)
    return link.user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
