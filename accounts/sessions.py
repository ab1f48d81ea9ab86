"""The session engine: one table with the user of each session, judged by the database's clock.

A session ends `SESSION_SECONDS` after its sign-in, or after `SESSION_IDLE_SECONDS` without activity.
Since each row names its user, all sessions of a user can be listed and ended.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import CreateError, UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Session
from accounts.second_factor.requirement import user_lacks_second_factor
from tenancy.clock import DatabaseTime, keep_request_now
from tenancy.db import IsReadOnly
from tenancy.models import User
from tenancy.prepared import ANY_TEXT, PreparedQuery

#: Activity is recorded at most once in this time, so that a page costs no write.
ACTIVITY_SECONDS = 60
_KEY = re.compile(r"[a-z0-9]{32}")


class SessionStore(DatabaseStore):
    """Django's database sessions in our table."""

    #: Whether the last recorded activity is so old that the next one is recorded.
    activity_is_due = False
    #: Whether the user of the session must have a second factor and has none.
    lacks_second_factor = False
    #: Whether the database refuses every write, as a standby does that was not promoted.
    database_is_read_only = False
    #: The user of the session as it was loaded, with the row of the session.
    user: User | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:  # type: ignore[override]
        return Session

    @classmethod
    def clear_expired(cls) -> None:
        """Delete the sessions that have ended; `manage.py clearsessions` calls this."""
        Session.objects.exclude(pk__in=Session.objects.alive().values("pk")).delete()

    def record_activity(self) -> None:
        """Record that the user is active, unless that was recorded a moment ago or cannot be."""
        if self.activity_is_due and not self.database_is_read_only:
            Session.objects.filter(session_key=self.session_key).update(last_seen_at=Now())
            self.activity_is_due = False

    def save(self, must_create: bool = False) -> None:
        """Insert or update the row; an update never extends the session.

        Raises:
            CreateError: `must_create`, and the key exists.
            UpdateError: the session has been ended in the meantime.
        """
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        columns = {"session_data": self.encode(data), "user_id": data.get(SESSION_KEY)}
        if must_create:
            self._insert(self.session_key, columns)
        elif not Session.objects.filter(session_key=self.session_key).update(**columns):
            raise UpdateError

    def _insert(self, key: str, columns: Mapping[str, Any]) -> None:
        expires_at = Now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE)
        try:
            with transaction.atomic():
                Session.objects.create(session_key=key, expires_at=expires_at, **columns)
        except IntegrityError as error:
            raise CreateError from error

    def _validate_session_key(self, key: str | None) -> bool:
        """Ignore cookies that no session has; some are not even text for the database."""
        return bool(key and _KEY.fullmatch(key))

    def _get_session_from_db(self) -> Session | None:
        rule = settings.SESSION_IDLE_SECONDS, settings.SECOND_FACTOR_REQUIRED
        session = next(iter(_alive(*rule).load(self.session_key)), None)
        if session is None:
            self._session_key = None
            return None
        self.activity_is_due = session.activity_is_due  # type: ignore[attr-defined]
        self.lacks_second_factor = session.lacks_second_factor  # type: ignore[attr-defined]
        self.database_is_read_only = session.is_read_only  # type: ignore[attr-defined]
        self.user = session.user
        keep_request_now(session.now)  # type: ignore[attr-defined]
        return session


@cache
def _alive(_idle_seconds: int, _second_factor: str) -> PreparedQuery[Session]:
    """Return the query of a session for these settings, which its SQL contains."""
    due = Q(last_seen_at__lt=Now() - dt.timedelta(seconds=ACTIVITY_SECONDS))
    sessions = Session.objects.alive().annotate(
        activity_is_due=due,
        lacks_second_factor=user_lacks_second_factor(),
        now=DatabaseTime(),
        is_read_only=IsReadOnly(),
    )
    sessions = sessions.select_related("user")
    return PreparedQuery(sessions.filter(session_key=ANY_TEXT), [ANY_TEXT])
