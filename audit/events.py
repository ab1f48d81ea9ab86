"""Events of the audit log that are no change of a row, such as a sign-in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection
from django.http import HttpRequest

from audit.context import current_context
from audit.registry import events
from redaction.json import sanitize_json
from redaction.text import sanitize_text
from tenancy.models import Workspace

MAX_SUBJECT = 300


def record(
    event: str,
    *,
    request: HttpRequest | None = None,
    user: AbstractBaseUser | AnonymousUser | None = None,
    workspace: Workspace | None = None,
    subject: str = "",
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add an event to the audit log.

    Args:
        event: a name that an app has registered with `audit_event`.
        request: the request that caused it; by default the one that this thread answers.
        user: the user it is about. Without a workspace, each workspace of the user gets an entry.
        workspace: the workspace it is about.
        subject: what it is about, for example the name with which a sign-in failed; the user's name
            by default.
        details: further values, without secrets.

    Raises:
        ValueError: no app has registered the event.
    """
    if event not in events():
        raise ValueError(f"The event {event} is not registered.")
    user_id = user.pk if user is not None else None
    name = subject or (user.get_username() if user is not None else "")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_record_event(%s, %s, %s, %s, %s, %s)",
            [
                event,
                user_id,
                sanitize_text(name, max_length=MAX_SUBJECT),
                workspace.pk if workspace else None,
                json.dumps(sanitize_json(dict(details or {}))),
                json.dumps(current_context(request)),
            ],
        )
