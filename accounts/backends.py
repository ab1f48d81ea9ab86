"""The authentication backend: local passwords, which an installation can disable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.sessions import SessionStore
from tenancy.models import User
from tenancy.prepared import ANY_ID, PreparedQuery

#: The session whose user Django loads at the moment.
_session: ContextVar[SessionStore | None] = ContextVar("session_of_user", default=None)


@contextmanager
def user_of(session: SessionStore) -> Iterator[None]:
    """Let the backend take the user from the row of this session, which was read with it."""
    token = _session.set(session)
    try:
        yield
    finally:
        _session.reset(token)


class LocalBackend(ModelBackend):
    """Checks passwords as Django does, and loads the users of sessions, however they signed in."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Return the user with this name and password; None if local passwords are disabled."""
        if not settings.LOCAL_PASSWORDS:
            return None
        user = super().authenticate(request, username=username, password=password, **kwargs)
        return user if isinstance(user, User) else None

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return the permissions of staff; an access token gives none."""
        if getattr(user_obj, "limit", None) is not None:
            return set()
        return super().get_all_permissions(user_obj, obj)

    def get_user(self, user_id: int) -> User | None:
        """Return the user of a session; None if the account is missing or not active."""
        session = _session.get()
        user = session.user if session else None
        if user is None or user.pk != user_id:
            user = next(iter(_by_id().load(user_id)), None)
        return user if user and self.user_can_authenticate(user) else None


@cache
def _by_id() -> PreparedQuery[User]:
    return PreparedQuery(User.objects.filter(pk=ANY_ID), [ANY_ID])
