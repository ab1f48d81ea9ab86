"""Every operation is started with its button and executed by a real worker with one slot."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

from backups.models import BackupSet, PolicyExport
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.catalog import OperationCatalog
from operations.states import RunOutcome
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import User
from tenancy.roles import Capability
from tenancy.tenant_page import starts_for
from tests.integration.buttons import start
from tests.support.customer import Customer
from tests.support.sessions import open_session
from tests.support.stack import Stack

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(manager: User) -> Client:
    client = Client()
    open_session(client, manager)
    return client


def types_marked_executes() -> set[OperationRunType]:
    """The types that other end-to-end tests execute, by their mark `executes`."""
    names: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for arguments in re.findall(r"@pytest\.mark\.executes\(([^)]*)\)", path.read_text()):
            names.update(re.findall(r"OperationRunType\.(\w+)", arguments))
    return {OperationRunType[name] for name in names}


def test_every_operation_is_started_from_its_button_and_succeeds(
    customer: Customer, stack: Stack, page: Client
) -> None:
    stack.start_worker(concurrency=1)
    tenant = customer.tenant
    connection = ProviderConnection.objects.get(tenant=tenant)

    # Apps register the buttons of the tenant's page, so a new operation is tested here as well.
    buttons = starts_for(frozenset(Capability))
    runs = [start(page, button.url_name, tenant.pk) for button in buttons]
    runs += [
        start(page, "workspace_inventory_sync"),
        start(page, "schedule_run_now", customer.schedule.pk),
    ]
    policies = list(Policy.objects.filter(kind="compliance").values_list("pk", flat=True))
    runs += [
        start(page, "policies_back_up", policy=policies, set_name="Before the change"),
        start(page, "policies_export", policy=policies),
        start(page, "retention_prune"),
    ]

    failures = {
        run.type: (run.outcome, run.failure_summary)
        for run in runs
        if run.outcome != RunOutcome.SUCCEEDED
    }
    assert not failures, stack.logs()
    assert Policy.objects.present().exists()
    assert DirectoryGroup.objects.present().count() == 5
    assert RoleDefinition.objects.filter(is_built_in=True).exists()
    assert BackupSet.objects.get(name="Before the change").item_count == len(policies)
    assert PolicyExport.objects.get().item_count == len(policies)
    connection.refresh_from_db()
    assert connection.status == "ready"
    assert {run.type for run in runs} | types_marked_executes() == set(OperationCatalog.all())
