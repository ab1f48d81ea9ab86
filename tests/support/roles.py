"""The database roles of an installation, created by the commands that create them there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from pytest_django import Settings

from tests.support.stack import database_url

PASSWORD = "p'w $x"


@contextmanager
def _role(settings: Settings, command: str, prefix: str) -> Iterator[str]:
    values = _new_names(prefix)
    for name, value in values.items():
        setattr(settings, name, value)
    with _created(command, values[f"{prefix}_DATABASE_ROLE"], values["WEB_DATABASE_ROLE"]) as url:
        yield url


def _new_names(prefix: str) -> dict[str, str]:
    """Return settings with the names of roles that do not exist yet."""
    name = f"{prefix.lower()}_{uuid.uuid4().hex[:8]}"
    return {
        f"{prefix}_DATABASE_ROLE": name,
        f"{prefix}_DATABASE_PASSWORD": PASSWORD,
        "WEB_DATABASE_ROLE": f"web_of_{name}",
    }


@contextmanager
def _created(command: str, name: str, web: str) -> Iterator[str]:
    call_command(command)
    try:
        yield url_of(name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP OWNED BY {name}")
            cursor.execute(f"DROP ROLE IF EXISTS {web}")
            cursor.execute(f"DROP ROLE {name}")


@contextmanager
def shared_app_role() -> Iterator[str]:
    """Create the role of the application for all tests of a module; provide the URL for it."""
    values = _new_names("APP")
    names = values["APP_DATABASE_ROLE"], values["WEB_DATABASE_ROLE"]
    with override_settings(**values), _created("grant_app_role", *names) as url:
        yield url


def url_of(role: str) -> str:
    """Return the database URL for a role that a command has created."""
    scheme, tail = database_url().split("@", 1)
    return f"{scheme.split('//')[0]}//{role}:{quote(PASSWORD, safe='')}@{tail}"


@pytest.fixture
def app_role(transactional_db: None, settings: Settings) -> Iterator[str]:
    """Create the role of the application; return the database URL for it."""
    with _role(settings, "grant_app_role", "APP") as url:
        yield url


@pytest.fixture
def web_role(app_role: str, settings: Settings) -> str:
    """Create the roles of the application; return the database URL for that of the web process."""
    return url_of(settings.WEB_DATABASE_ROLE)


@pytest.fixture
def import_role(transactional_db: None, settings: Settings) -> Iterator[str]:
    """Create the role of the import; return the database URL for it."""
    with _role(settings, "grant_import_role", "IMPORT") as url:
        yield url
