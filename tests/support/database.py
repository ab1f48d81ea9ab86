"""Rows shared by a test module, and deleting rows that the guards protect."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

#: The database that the workers copy; only where the plugin has started the server.
TEMPLATE = os.environ.get("TEMPLATE_DATABASE", "")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Let the first worker migrate a database, so that each worker only copies it."""
    if not (TEMPLATE and "PYTEST_XDIST_WORKER" in os.environ):
        return
    with django_db_blocker.unblock(), connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [TEMPLATE])
        if cursor.fetchone() is None:
            cursor.execute(f"DROP DATABASE IF EXISTS {TEMPLATE}_unfinished WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {TEMPLATE}_unfinished")
            with mock.patch.dict(connection.settings_dict, {"NAME": f"{TEMPLATE}_unfinished"}):
                call_command("migrate", verbosity=0)
                connection.close()
            cursor.execute(f"ALTER DATABASE {TEMPLATE}_unfinished RENAME TO {TEMPLATE}")
    connection.settings_dict["TEST"]["TEMPLATE"] = TEMPLATE


SharedRows = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def shared_rows(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[SharedRows]:
    """Create rows once for all tests of a module: `with shared_rows(): ...` in a module fixture.

    An outer transaction keeps them until the module ends. Each test runs in a savepoint inside it,
    so everything a test writes is rolled back. Not for modules that commit (`transaction=True`).
    """
    committing = [
        item.name
        for item in request.session.items
        if item.path == request.path
        and (marker := item.get_closest_marker("django_db"))
        and marker.kwargs.get("transaction")
    ]
    assert not committing, f"not in the outer transaction of the module: {committing}"
    with django_db_blocker.unblock():
        outer: Any = transaction.atomic()
        outer._from_testcase = True  # code under test may open its outermost transaction inside
        outer.__enter__()
    yield django_db_blocker.unblock
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)


@pytest.fixture(scope="module")
def committed_rows(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[SharedRows]:
    """Commit rows that other sessions see, once for all tests of a module that change none.

    `with committed_rows(): ...; yield` in a module fixture; the tests are not marked with
    `django_db`. The end of the module deletes all rows.
    """
    yield django_db_blocker.unblock
    with django_db_blocker.unblock():
        delete_rows(table_names())


@contextmanager
def rolled_back() -> Iterator[None]:
    """Undo what is written inside, so that the next request finds the same rows."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def without_guards(*tables: str) -> Iterator[Any]:
    """Provide a cursor that writes to these tables what no version of the product can write."""
    with connection.cursor() as cursor:
        # A table with deferred checks pending in this transaction cannot be altered.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield cursor
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


#: Django fills these tables when the database is created; no test changes them.
CONSTANT_TABLES = {"django_content_type", "auth_permission"}


@cache
def table_names() -> list[str]:
    """Return the tables of all models that tests can fill."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return sorted({*names} - CONSTANT_TABLES)


def delete_rows(names: Iterable[str]) -> None:
    """Delete the rows of these tables, which the guards of the product refuse.

    Deleting a few rows takes milliseconds. Django's `flush` takes most of a second: it truncates
    every table, which creates hundreds of files, and fills the constant tables again. Disabling the
    triggers of a table would make every connection load the table's definition again.
    """
    probe = " UNION ALL ".join(
        f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(probe)
        non_empty = [name for (name,) in cursor.fetchall()]
        # Then no trigger fires, and foreign keys are not checked; only a superuser may set it.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for name in non_empty:
            cursor.execute(f"DELETE FROM {name}")


@pytest.fixture(autouse=True, scope="session")
def _delete_rows_after_committing_tests() -> Iterator[None]:
    """Replace Django's flush after tests that commit, because the guards refuse it."""

    def delete_all_rows(_: TransactionTestCase) -> None:
        delete_rows(table_names())

    with mock.patch.object(TransactionTestCase, "_fixture_teardown", delete_all_rows):
        yield
