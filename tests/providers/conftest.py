"""A tenant of the Graph sandbox, and a connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dev.graph_sandbox.process import SandboxProcess
from providers.graph.client import GraphClient
from tenancy.models import Tenant, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.providers import FarTenant, ProviderConnectionFactory


@pytest.fixture
def far(graph_sandbox: SandboxProcess) -> Iterator[FarTenant]:
    tenant = FarTenant(graph_sandbox)
    yield tenant
    tenant.control.clear(tenant.tenant_id)
    tenant.control.remove_tenant(tenant.tenant_id)


@pytest.fixture
def tenant(workspace: Workspace, far: FarTenant) -> Tenant:
    """The tenant whose counterpart is in the Graph sandbox."""
    made: Tenant = TenantFactory(workspace=workspace, name="Fabrikam", external_id=far.tenant_id)
    return made


@pytest.fixture
def client(far: FarTenant) -> Iterator[GraphClient]:
    with far.client() as graph:
        yield graph


@pytest.fixture
def connection(tenant: Any, far: FarTenant, settings: Any) -> Any:
    """The default connection of the tenant, to its counterpart in the Graph sandbox."""
    settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE = far.url, far.ca
    made = ProviderConnectionFactory(tenant=tenant, client_id=far.client_id)
    made.set_credential(far.secret)
    return made
