"""Every operation of a tenant, started as a person starts it, done by a real worker with one place."""

from __future__ import annotations

import pytest
from django.test import Client

from backups.models import BackupSet, PolicyExport
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from operations.catalog import OperationCatalog
from operations.states import RunOutcome
from providers.models import ProviderConnection
from tenancy.models import User
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


def test_every_operation_is_started_from_its_button_and_succeeds(
    customer: Customer, stack: Stack, page: Client
) -> None:
    stack.worker(concurrency=1)
    tenant = customer.tenant
    connection = ProviderConnection.objects.get(tenant=tenant)

    runs = [
        start(page, "connection_check", connection.pk),
        start(page, "workspace_inventory_sync"),
        start(page, "inventory_sync", tenant.pk),
        start(page, "directory_groups_sync", tenant.pk),
        start(page, "role_definitions_sync", tenant.pk),
        start(page, "schedule_run_now", customer.schedule.pk),
    ]
    chosen = list(Policy.objects.filter(kind="compliance").values_list("pk", flat=True))
    runs += [
        start(page, "policies_back_up", policy=chosen, set_name="Before the change"),
        start(page, "policies_export", policy=chosen),
        start(page, "retention_prune"),
    ]

    told = {run.type: (run.outcome, run.failure_summary) for run in runs}
    assert {kind: outcome for kind, (outcome, _) in told.items()} == {
        run.type: RunOutcome.SUCCEEDED for run in runs
    }, (told, stack.logs())
    assert Policy.objects.present().exists()
    assert DirectoryGroup.objects.present().count() == 5
    assert RoleDefinition.objects.filter(is_built_in=True).exists()
    assert BackupSet.objects.get(name="Before the change").item_count == len(chosen)
    assert PolicyExport.objects.get().item_count == len(chosen)
    connection.refresh_from_db()
    assert connection.status == "ready"
    started_otherwise = {"backup_schedule.scheduled", "backup_schedule.retry"}
    # tests/integration/test_restore_end_to_end.py
    started_otherwise |= {"restore.preview", "restore.execute"}
    assert {run.type for run in runs} | started_otherwise == set(OperationCatalog.all())
