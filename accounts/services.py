"""The write operations on sessions, for pages and commands."""

from __future__ import annotations

import logging

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
