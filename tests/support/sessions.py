"""Signed-in clients without the cost of a sign-in."""

from __future__ import annotations

import datetime as dt
import uuid

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db.models.functions import Now
from django.test import Client

from accounts.identity import CONFIRMED_KEY
from accounts.models import Session
from accounts.sessions import SessionStore
from tenancy.db import database_now
from tenancy.models import User


def open_session(client: Client, user: User) -> Client:
    """Open a session of the user for a client, as a sign-in does.

    This needs two statements. `Client.force_login` needs a dozen, because it also counts attempts,
    stores the time and renews the session. Those have their own tests.
    """
    store = SessionStore()
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "accounts.backends.LocalBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        CONFIRMED_KEY: database_now().timestamp(),
    }
    session = Session.objects.create(
        session_key=uuid.uuid4().hex,
        session_data=store.encode(data),
        user=user,
        expires_at=Now() + dt.timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client
