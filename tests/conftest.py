"""Fixtures for everybody: a workspace with a tenant, and one person of each role."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import TransactionTestCase

from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.factories import TenantFactory, WorkspaceFactory, member
from tests.guards import guards_put_aside


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
