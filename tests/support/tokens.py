"""Clients of the API."""

from __future__ import annotations

import itertools
from typing import Any

from django.test import Client

from accounts.access_tokens.services import create_personal_token
from tenancy.models import User, Workspace
from tenancy.roles import Role

_NUMBERS = itertools.count(1)


def open_api(user: User, workspace: Workspace, role: Role = Role.MANAGER, **values: Any) -> Client:
    """Return a client that sends a token of the user with each request."""
    name = f"Token {next(_NUMBERS)}"
    token, secret = create_personal_token(user, workspace, name=name, role=role, days=1, **values)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    client.token = token  # type: ignore[attr-defined]
    return client
