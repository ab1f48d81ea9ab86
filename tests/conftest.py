"""Fixtures for everybody: a workspace with a tenant, and one person of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.db import transaction
from django.test import TransactionTestCase
from pytest_django import DjangoDbBlocker

from tenancy.capabilities import Role
from tenancy.models import Tenant, User, Workspace
from tests.support.database import guards_put_aside
from tests.support.factories import TenantFactory, WorkspaceFactory, member


@pytest.fixture
def workspace(db: None) -> Workspace:
    return WorkspaceFactory(name="Contoso Services", slug="contoso")


@pytest.fixture
def tenant(workspace: Workspace) -> Tenant:
    return TenantFactory(workspace=workspace, name="Fabrikam")


@pytest.fixture
def reader(workspace: Workspace) -> User:
    return member(workspace, Role.READER, username="rita")


@pytest.fixture
def operator(workspace: Workspace) -> User:
    return member(workspace, Role.OPERATOR, username="olga")


@pytest.fixture
def manager(workspace: Workspace) -> User:
    return member(workspace, Role.MANAGER, username="marc")


@pytest.fixture
def owner(workspace: Workspace) -> User:
    return member(workspace, Role.OWNER, username="owen")


@pytest.fixture
def stranger(db: None) -> User:
    """A member of another workspace."""
    return member(WorkspaceFactory(name="Elsewhere", slug="elsewhere"), Role.OWNER, username="sam")


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
def _emptying_the_tables_between_tests_is_pruning() -> Iterator[None]:
    """The guards refuse TRUNCATE; the suite empties tables through the door of retention, and those
    of history, which have no such door, as their owner.
    """
    case: Any = TransactionTestCase
    original = case._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        with guards_put_aside():
            original(self)

    case._fixture_teardown = teardown
    yield
    case._fixture_teardown = original
