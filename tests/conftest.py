"""Fixtures for all tests: a workspace with a tenant, and one user of each role."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tenancy.models import Tenant, User, Workspace
from tenancy.roles import Role
from tests.support.factories import TenantFactory, WorkspaceFactory, create_member

pytest_plugins = [
    "tests.support.marks",
    "tests.support.secrets",
    "tests.support.speed",
    "tests.support.forms",
    "tests.support.database",
    "tests.support.roles",
    "tests.support.broker",
    "tests.support.sandbox",
    "tests.support.pooler",
    "tests.support.web_server",
    "tests.support.backups",
    "tests.support.clock",
    "tests.support.restores",
    "tests.support.customer",
    "tests.support.openid_provider",
]

# How fast a loaded machine generates examples says nothing about the code, and a change is not to
# fail because of an example that the run before it did not try.
hypothesis_settings.register_profile(
    "loaded machine",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("loaded machine")


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core: half of the time tests wait for processes, browsers and locks."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return WorkspaceFactory(name="Contoso Services", slug="contoso")


@pytest.fixture
def tenant(workspace: Workspace) -> Tenant:
    return TenantFactory(workspace=workspace, name="Fabrikam")


@pytest.fixture
def reader(workspace: Workspace) -> User:
    return create_member(workspace, Role.READER, username="rita")


@pytest.fixture
def operator(workspace: Workspace) -> User:
    return create_member(workspace, Role.OPERATOR, username="olga")


@pytest.fixture
def manager(workspace: Workspace) -> User:
    return create_member(workspace, Role.MANAGER, username="marc")


@pytest.fixture
def owner(workspace: Workspace) -> User:
    return create_member(workspace, Role.OWNER, username="owen")


@pytest.fixture
def stranger(db: None) -> User:
    """A member of another workspace."""
    return create_member(
        WorkspaceFactory(name="Elsewhere", slug="elsewhere"), Role.OWNER, username="stranger.sam"
    )
