"""The database roles of an installation, created by the commands that create them there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from tests.support.stack import database_url

PASSWORD = "p'w $x"


@contextmanager
def _role(settings: Settings, command: str, prefix: str) -> Iterator[str]:
    name = f"{prefix.lower()}_{uuid.uuid4().hex[:8]}"
    setattr(settings, f"{prefix}_DATABASE_ROLE", name)
    setattr(settings, f"{prefix}_DATABASE_PASSWORD", PASSWORD)
    call_command(command)
    scheme, tail = database_url().split("@", 1)
    try:
        yield f"{scheme.split('//')[0]}//{name}:{quote(PASSWORD, safe='')}@{tail}"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {name}")
            cursor.execute(f"DROP ROLE {name}")


@pytest.fixture
def app_role(transactional_db: None, settings: Settings) -> Iterator[str]:
    """Create the role of the application; return the database URL for it."""
    with _role(settings, "grant_app_role", "APP") as url:
        yield url


@pytest.fixture
def import_role(transactional_db: None, settings: Settings) -> Iterator[str]:
    """Create the role of the import; return the database URL for it."""
    with _role(settings, "grant_import_role", "IMPORT") as url:
        yield url
