"""A tenant in the product whose counterpart is in the Graph sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from providers.graph.client import GraphClient
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.providers import ProviderConnectionFactory, SandboxTenant


@pytest.fixture
def tenant(workspace: Workspace, sandbox_tenant: SandboxTenant) -> Tenant:
    return TenantFactory(workspace=workspace, name="Fabrikam", external_id=sandbox_tenant.tenant_id)


@pytest.fixture
def client(sandbox_tenant: SandboxTenant) -> Iterator[GraphClient]:
    with sandbox_tenant.client() as graph:
        yield graph


@pytest.fixture
def connection(tenant: Tenant, sandbox_tenant: SandboxTenant, settings: Any) -> ProviderConnection:
    """The default connection of the tenant, which leads to the Graph sandbox."""
    settings.GRAPH_SANDBOX_URL = sandbox_tenant.url
    settings.GRAPH_CA_BUNDLE = sandbox_tenant.ca
    connection = ProviderConnectionFactory(tenant=tenant, client_id=sandbox_tenant.client_id)
    connection.set_credential(sandbox_tenant.secret)
    return connection
