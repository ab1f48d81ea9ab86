"""Who may see, and for how long, the values of an object that were hidden only by a guess."""

from __future__ import annotations

import datetime as dt

from django.contrib.sessions.backends.base import SessionBase

from audit.events import record
from backups.models import BackupItem, BackupSet
from backups.redactions import guessed_count
from tenancy.clock import request_now
from tenancy.http import Request

#: In the session: until when, in seconds, an item is shown, by its id.
_KEY = "revealed_items"
DURATION = dt.timedelta(minutes=15)


def reveal(request: Request, item: BackupItem, backup_set: BackupSet) -> None:
    """Show the values of an item of a set in this session for 15 minutes; record it in the audit log."""
    assert item.version
    details = {
        "backup_set": backup_set.pk,
        "item": item.pk,
        "graph_id": item.graph_id,
        "values": guessed_count(item.version),
    }
    record(
        "values_revealed",
        request=request,
        user=request.user,
        workspace=item.workspace,
        subject=item.name,
        details=details,
    )
    now = request_now()
    shown = {
        key: until for key, until in _shown(request.session).items() if until > now.timestamp()
    }
    request.session[_KEY] = shown | {str(item.pk): (now + DURATION).timestamp()}


def is_revealed(session: SessionBase, item: BackupItem) -> bool:
    """Return whether the values of an item are shown in this session now."""
    until = _shown(session).get(str(item.pk))
    return until is not None and until > request_now().timestamp()


def _shown(session: SessionBase) -> dict[str, float]:
    shown: dict[str, float] = session.get(_KEY, {})
    return shown
