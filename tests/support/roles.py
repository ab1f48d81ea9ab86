"""The database role of the application, as `grant_app_role` creates it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from tests.support.stack import database_url

APP_PASSWORD = "p'w $x"


@pytest.fixture
def app_role(transactional_db: None, settings: Settings) -> Iterator[str]:
    """Create the role with the command; return the database URL for it."""
    name = f"app_{uuid.uuid4().hex[:8]}"
    settings.APP_DATABASE_ROLE, settings.APP_DATABASE_PASSWORD = name, APP_PASSWORD
    call_command("grant_app_role")
    head, tail = database_url().split("@", 1)
    yield f"{head.split('//')[0]}//{name}:{quote(APP_PASSWORD, safe='')}@{tail}"
    with connection.cursor() as cursor:
        cursor.execute(f"DROP OWNED BY {name}")
        cursor.execute(f"DROP ROLE {name}")
