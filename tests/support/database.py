"""The test database: rows shared by a module, and emptying tables that the guards protect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from legacy_runs.models import TABLES

HISTORY_GUARDS = ";".join(
    f"ALTER TABLE {table} {{0}} TRIGGER {table}_read_only"
    for table in (model._meta.db_table for model in TABLES.values())
)


@contextmanager
def guards_disabled() -> Iterator[None]:
    """Every table may be emptied."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.pruning', 'on', false)")
        cursor.execute(HISTORY_GUARDS.format("DISABLE"))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(HISTORY_GUARDS.format("ENABLE"))
            cursor.execute("SELECT set_config('runledger.pruning', '', false)")


SharedRows = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def shared_rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[SharedRows]:
    """Build rows once for all tests of a module: `with shared_rows(): ...` in a module's fixture.

    An outer transaction keeps them until the module ends. Each test runs in a savepoint inside it,
    so whatever a test writes is rolled back. Not for modules that commit (`transaction=True`).
    """
    with django_db_blocker.unblock():
        outer: Any = transaction.atomic()
        outer._from_testcase = True  # code under test may open its outermost transaction inside
        outer.__enter__()
    yield django_db_blocker.unblock
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        outer.__exit__(None, None, None)


@pytest.fixture(autouse=True, scope="session")
def _allow_emptying_tables() -> Iterator[None]:
    """Empty tables after a test that commits, which the guards of the product refuse."""
    case: Any = TransactionTestCase
    original = case._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        with guards_disabled():
            original(self)

    case._fixture_teardown = teardown
    yield
    case._fixture_teardown = original
