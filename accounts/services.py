"""The write operations on sessions, for pages and commands."""

from __future__ import annotations

import logging

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction

from accounts.models import Session
from audit.events import record
from tenancy.models import User
from web.ids import parse_ids

log = logging.getLogger(__name__)


def end_session(user: User, session_id: str) -> bool:
    """End one session of the user; return False if the user has no such session."""
    ended, _ = Session.objects.filter(user=user, pk__in=parse_ids([session_id])).delete()
    if ended:
        record("session_ended", user=user)
        log.info("%s ended a session", user)
    return bool(ended)


def end_sessions(user: User) -> None:
    """End every session of the user."""
    ended, _ = Session.objects.filter(user=user).delete()
    record("sessions_ended", user=user, details={"count": ended})
    log.info("%s: %s sessions ended", user, ended)


@transaction.atomic
def disconnect_identity(user: User, identity_id: str) -> bool:
    """Remove an identity of the user; return False if it is the only way to sign in.

    It locks the user, so that two requests cannot remove the last two identities.
    """
    locked = User.objects.select_for_update().get(pk=user.pk)
    identities = SocialAccount.objects.filter(user=locked)
    identity = identities.filter(pk__in=parse_ids([identity_id])).first()
    if identity is None:
        return True
    if not has_local_password(locked) and identities.count() == 1:
        return False
    identity.delete()
    log.info("%s disconnected an identity of %s", user, identity.provider)
    return True


def has_local_password(user: User) -> bool:
    """Return whether the user can sign in with a password here."""
    return bool(settings.LOCAL_PASSWORDS) and user.has_usable_password()
