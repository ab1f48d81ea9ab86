"""Signed-in clients without the cost of a sign-in."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.test import Client

from tenancy.models import User


def open_session(client: Client, user: User) -> Client:
    """Give a client a session of the user, as a sign-in does.

    It is one statement. `Client.force_login` needs a dozen, because it also runs what a sign-in
    triggers: counting attempts, noting the time, renewing the session. Those have their own tests.
    """
    store = SessionStore()
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    session = Session.objects.create(
        session_key=uuid.uuid4().hex,
        session_data=store.encode(data),
        expire_date=store.get_expiry_date(),
    )
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client
