"""Fixtures of the Graph sandbox: one process for all tests, and tenants in it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pytest_django import Settings

from dev.graph_sandbox.control import SandboxControl
from dev.graph_sandbox.process import SandboxProcess
from providers.clouds import Cloud
from providers.models import ProviderConnection
from tenancy.models import Tenant
from tests.support.factories.providers import FAST, SandboxTenant

SECRET = "Pq8~sandbox.secret"
SIZES = {
    "settings_catalog": 3,
    "device_configuration": 2,
    "compliance": 2,
    "conditional_access": 2,
    "named_location": 1,
    "groups": 5,
}


@pytest.fixture(scope="session")
def graph_sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox_tenant(graph_sandbox: SandboxProcess) -> Iterator[SandboxTenant]:
    """A tenant in the Graph sandbox, with an app that has every permission."""
    tenant = SandboxTenant(graph_sandbox)
    yield tenant
    tenant.control.clear(tenant.tenant_id)
    tenant.control.remove_tenant(tenant.tenant_id)


@pytest.fixture
def graph(graph_sandbox: SandboxProcess, settings: Settings) -> Iterator[SandboxControl]:
    """Control of the Graph sandbox that the connections of this test use."""
    settings.GRAPH_SANDBOX_URL = graph_sandbox.url
    settings.GRAPH_CA_BUNDLE = str(graph_sandbox.ca)
    settings.GRAPH_QUOTAS = {}
    yield graph_sandbox.control
    graph_sandbox.control.clear()


def count_when_stable(count: Callable[[], int]) -> int:
    """Return a count of requests once it stays the same for a second."""
    previous = -1
    while (current := count()) != previous:
        previous = current
        time.sleep(1)
    return current


@pytest.fixture
def short_retry_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry failed requests to Graph as often as usual, but after milliseconds."""
    monkeypatch.setattr("providers.graph.client.RetryPolicy", lambda: FAST)


def connect_to_graph(graph: SandboxControl, tenant: Tenant, **options: Any) -> ProviderConnection:
    """Add a tenant to the Graph sandbox with a connection to it."""
    client_id = uuid.uuid4()
    sizes = SIZES | options.pop("sizes", {})
    options = {"name": tenant.name, "seed": "always the same", "sizes": sizes} | options
    graph.add_tenant(tenant.external_id, client_id, SECRET, **options)
    connection = ProviderConnection.objects.create(
        workspace=tenant.workspace,
        tenant=tenant,
        name="Graph sandbox",
        cloud=Cloud.SANDBOX,
        client_id=client_id,
        is_default=True,
    )
    connection.set_credential(SECRET)
    return connection


@pytest.fixture
def add_to_graph(graph: SandboxControl) -> Callable[..., ProviderConnection]:
    """Return a function that adds a tenant to the Graph sandbox with a connection to it."""

    return partial(connect_to_graph, graph)
