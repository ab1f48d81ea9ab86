"""A fleet of 36 tenants, shared by the tests of a module."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings
from pytest_django import Settings

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import SandboxProcess
from tenancy.models import User, Workspace
from tests.support.database import SharedRows

TENANTS = 36


@pytest.fixture(scope="module")
def fleet(shared_rows: SharedRows, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The demo workspace “fleet” with a past of 30 nights, without a Graph sandbox."""
    folder: Path = tmp_path_factory.mktemp("demo")
    options = {"DEMO_DATA_ALLOWED": True, "BASE_DIR": folder, "GRAPH_SANDBOX_URL": ""}
    with shared_rows(), override_settings(**options):
        call_command("demo_data", stdout=StringIO())
        call_command("demo_fleet", "--tenants", str(TENANTS), stdout=StringIO())
        return Workspace.objects.get(slug="fleet")


@pytest.fixture
def operator(fleet: Workspace) -> User:
    """The operator of the demo data."""
    return User.objects.get(username="olga")


@pytest.fixture
def fleet_in_graph(
    fleet: Workspace,
    graph: SandboxControl,
    graph_sandbox: SandboxProcess,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tenants of the fleet are in the Graph sandbox."""
    settings.DEMO_DATA_ALLOWED = True
    settings.GRAPH_SANDBOX_URL = graph_sandbox.url
    monkeypatch.setenv("GRAPH_SANDBOX_TOKEN", graph_sandbox.token)
    call_command("demo_fleet", stdout=StringIO())
