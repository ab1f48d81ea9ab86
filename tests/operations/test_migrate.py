"""A migration waits for a lock only briefly, tries again, and builds indexes without blocking."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from pytest_django import Settings

from operations.management.commands import migrate
from tests.support.stack import database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def table(settings: Settings) -> Iterator[None]:
    """Install an app with a table and a pending migration that changes it."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.operations.altering"]
    call_command("migrate", "altering", "0001", verbosity=0)
    yield
    call_command("migrate", "altering", "zero", verbosity=0)


@contextmanager
def reader() -> Iterator[psycopg.Connection[Any]]:
    """A transaction of another session that has read the table."""
    with psycopg.connect(database_url()) as session:
        session.execute("SELECT count(*) FROM altering")
        yield session
        session.rollback()


def columns() -> set[str]:
    with connection.cursor() as cursor:
        return {
            column.name
            for column in connection.introspection.get_table_description(cursor, "altering")
        }


@pytest.mark.usefixtures("table")
def test_a_migration_tries_again_until_the_lock_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(migrate, "PAUSES", [0.3] * 20)
    output = io.StringIO()
    answered_while_locked: list[bool] = []

    def release_after_two_tries() -> None:
        deadline = time.monotonic() + 60
        while output.getvalue().count("A lock is not free") < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        holder.rollback()

    def read_while_it_waits() -> None:
        while release.is_alive():
            with psycopg.connect(database_url(), autocommit=True) as page:
                page.execute("SELECT count(*) FROM altering")
            answered_while_locked.append(release.is_alive())
            time.sleep(0.05)

    pages = threading.Thread(target=read_while_it_waits)
    with reader() as holder:
        release = threading.Thread(target=release_after_two_tries)
        release.start()
        pages.start()
        call_command("migrate", "altering", "0002", stdout=output)
        release.join()
        pages.join()

    assert output.getvalue().count("A lock is not free") >= 2
    assert columns() == {"id", "name"}
    # No page waits until the migration can run.
    assert any(answered_while_locked)


@pytest.mark.usefixtures("table")
def test_a_lock_that_is_never_free_ends_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrate, "PAUSES", [0])

    with reader(), pytest.raises(CommandError, match="pg_stat_activity"):
        call_command("migrate", "altering", "0002", stdout=io.StringIO())

    assert columns() == {"id"}


@pytest.mark.usefixtures("table")
def test_a_migration_that_a_busy_host_has_stopped_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate, "PAUSES", [0] * 3)
    begin, begun = migrate.ImpatientSchemaEditor.__enter__, []

    def begin_slowly(editor: Any) -> Any:
        begin(editor)
        begun.append(editor)
        if len(begun) == 1:
            (server,) = connection.connection.execute("SELECT pg_backend_pid()").fetchone()
            editor.execute("SET LOCAL idle_in_transaction_session_timeout = 50")
            wait_until_ended(server)
        return editor

    monkeypatch.setattr(migrate.ImpatientSchemaEditor, "__enter__", begin_slowly)
    output = io.StringIO()

    call_command("migrate", "altering", "0002", stdout=output)

    assert "silent for too long" in output.getvalue()
    assert columns() == {"id", "name"}


def wait_until_ended(server: int) -> None:
    """Wait until PostgreSQL has ended a session; without a query in it, which would keep it busy."""
    deadline = time.monotonic() + 60
    with psycopg.connect(database_url(), autocommit=True) as session:
        while (
            session.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [server]).fetchone()
            is not None
        ):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.usefixtures("table")
def test_another_error_is_not_repeated() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE altering ADD name integer")
    output = io.StringIO()

    with pytest.raises(Exception, match="already exists"):
        call_command("migrate", "altering", "0002", stdout=output)

    assert "lock" not in output.getvalue()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE altering DROP name")


@pytest.mark.usefixtures("table")
def test_an_index_is_built_while_others_write_and_an_interrupted_one_is_replaced() -> None:
    call_command("migrate", "altering", "0002", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX altering_by_name ON altering (id)")

    with psycopg.connect(database_url()) as writer:
        writer.execute("INSERT INTO altering VALUES (1)")
        committed = threading.Timer(0.5, writer.commit)
        committed.start()
        call_command("migrate", "altering", "0003", verbosity=0)
        committed.join()

    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'altering_by_name'")
        assert "(name)" in cursor.fetchone()[0]


# --- every migration of the product ---------------------------------------------------------------

#: Migrations that build an index on a table that they did not create, and why they may.
LOCKING = {
    "backups.0002_guards": "Older than this rule; the first migration of an installation.",
    "backups.0009_changes": "Its check constraints read every backup set under the same lock.",
    "backups.0010_deleted_schedules": "Its check constraint reads every schedule under the same lock.",
    "notifications.0003_webhooks": "Its check constraints read every delivery under the same lock.",
    "operations.0005_recovery": "Its check constraint reads every run under the same lock.",
    "operations.0006_incidents": "Part of the same upgrade; its partial indexes have few rows.",
}
INDEX = re.compile(
    r'CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)(?:"?\w+"? )?ON "?(\w+)', re.IGNORECASE
)
TABLE = re.compile(r'CREATE TABLE (?:IF NOT EXISTS )?"?(\w+)', re.IGNORECASE)
APPS = {
    "tenancy",
    "audit",
    "operations",
    "accounts",
    "providers",
    "inventory",
    "backups",
    "restores",
    "notifications",
    "legacy_runs",
}


def locking_migrations() -> set[str]:
    """Return the migrations that build an index on a table that they did not create."""
    loader = MigrationLoader(connection, replace_migrations=False)
    names = set()
    for (app, name), migration in sorted(loader.disk_migrations.items()):
        if app not in APPS:
            continue
        sql = "\n".join(loader.collect_sql([(migration, False)]))
        if set(INDEX.findall(sql)) - set(TABLE.findall(sql)):
            names.add(f"{app}.{name}")
    return names


def test_every_migration_builds_its_indexes_concurrently() -> None:
    assert locking_migrations() == LOCKING.keys()


@pytest.mark.parametrize(
    ("statement", "is_locking"),
    [
        ("CREATE INDEX a ON runs (b);", True),
        ('CREATE UNIQUE INDEX "a" ON "runs" ("b");', True),
        ("CREATE INDEX ON runs (b);", True),
        ("CREATE INDEX CONCURRENTLY a ON runs (b);", False),
        ("CREATE TABLE runs (b int); CREATE INDEX a ON runs (b);", False),
    ],
)
def test_a_statement_that_locks_a_table_is_noticed(statement: str, is_locking: bool) -> None:
    assert bool(set(INDEX.findall(statement)) - set(TABLE.findall(statement))) is is_locking
