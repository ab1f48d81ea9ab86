"""A customer for the integration tests, with worker and beat processes and the Graph sandbox."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from backups.models import BackupSchedule
from dev.graph_sandbox.process import SandboxProcess
from providers.models import ProviderConnection
from tenancy.models import Tenant, Workspace
from tests.support.broker import Broker
from tests.support.factories import TenantFactory
from tests.support.factories.backups import BackupScheduleFactory
from tests.support.stack import Stack

KINDS = ["settings_catalog", "device_configuration", "compliance", "conditional_access"]
SIZES = {
    "settings_catalog": 4,
    "device_configuration": 3,
    "compliance": 2,
    "conditional_access": 2,
    "named_location": 1,
    "groups": 5,
}
#: More policies than the batches that are read at the same time contain.
MANY = {**SIZES, "settings_catalog": 150}


MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(
    transactional_db: None, tmp_path: Path, broker: Broker, graph_sandbox: SandboxProcess
) -> Iterator[MakeStack]:
    """Return a function that creates a stack for this test's database and broker."""
    stacks: list[Stack] = []

    def make(**environment: str) -> Stack:
        graph = {"GRAPH_SANDBOX_URL": graph_sandbox.url, "GRAPH_CA_BUNDLE": str(graph_sandbox.ca)}
        stacks.append(Stack(tmp_path, broker.url, **graph, **environment))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A stack with the usual settings."""
    return make_stack()


@dataclass
class Customer:
    """A tenant with a working connection and a schedule that is not due."""

    tenant: Tenant
    schedule: BackupSchedule
    graph: SandboxProcess
    secret: str

    @property
    def id(self) -> str:
        return str(self.tenant.external_id)

    def fault(self, name: str, **options: object) -> None:
        self.graph.control.fault(self.id, name, **options)


MakeCustomer = Callable[..., Customer]


@pytest.fixture
def make_customer(transactional_db: None, graph_sandbox: SandboxProcess) -> MakeCustomer:
    """Return a function that creates a customer in a workspace and in the Graph sandbox."""

    def make(
        workspace: Workspace, *, sizes: Mapping[str, int] = SIZES, **schedule: object
    ) -> Customer:
        tenant = TenantFactory(workspace=workspace, name="Fabrikam")
        client_id, secret = uuid.uuid4(), f"canary~{uuid.uuid4().hex}"
        graph_sandbox.control.add_tenant(
            tenant.external_id, client_id, secret, seed="always the same", sizes=sizes
        )
        connection = ProviderConnection(
            workspace=workspace,
            tenant=tenant,
            name="Read only",
            cloud="sandbox",
            client_id=client_id,
            credential_kind="secret",
            is_default=True,
        )
        connection.save()
        connection.set_credential(secret)
        connection.save()
        backup_schedule = BackupScheduleFactory(tenant=tenant, kinds=KINDS, **schedule)
        return Customer(tenant, backup_schedule, graph_sandbox, secret)

    return make


@pytest.fixture
def customer(make_customer: MakeCustomer, workspace: Workspace) -> Customer:
    return make_customer(workspace)
