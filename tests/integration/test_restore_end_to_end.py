"""A restore from its forms to its end, with a real worker and the Graph sandbox."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from backups.models import BackupSet
from operations.states import RunOutcome
from operations.types import OperationRunType
from providers.models import Access, ProviderConnection
from restores import services
from restores.models import Action, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.integration.buttons import start
from tests.support.customer import Customer
from tests.support.sessions import open_session
from tests.support.stack import Stack, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.mark.executes(OperationRunType.RESTORE_PREVIEW, OperationRunType.RESTORE_EXECUTE)
def test_a_deleted_policy_is_restored(customer: Customer, stack: Stack, manager: User) -> None:
    stack.start_worker(concurrency=1)
    page = Client()
    open_session(page, manager)
    ProviderConnection.objects.update(access=Access.READ_WRITE)
    start(page, "schedule_run_now", customer.schedule.pk)
    backup_set = BackupSet.objects.get()
    item = backup_set.items.filter(kind="compliance").first()
    assert item
    customer.graph.control.delete_object(customer.id, "compliance", item.graph_id)

    form_url = reverse("restore_create", args=["contoso", backup_set.pk])
    page.post(form_url, {"item": item.pk, "assignments": "backup", "access_state": "report_only"})
    restore = RestoreRun.objects.with_scope().get()
    assert restore.preview_run
    preview = wait_for_end(restore.preview_run.pk)
    restore.refresh_from_db()
    assert (preview.outcome, restore.status) == (RunOutcome.SUCCEEDED, RestoreStatus.PREVIEWED)
    assert restore.items.get().action == Action.CREATE
    page.post(
        reverse("restore_execute", args=["contoso", restore.pk]),
        {"decision_digest": services.decision_digest_of(restore), "tenant_name": "Fabrikam"},
    )
    restore = RestoreRun.objects.with_scope().get()
    assert restore.execute_run
    execution = wait_for_end(restore.execute_run.pk)

    restore.refresh_from_db()
    assert execution.outcome == RunOutcome.SUCCEEDED, (execution.failures, stack.logs())
    assert restore.status == RestoreStatus.ENDED
    names = [
        entry["displayName"] for entry in customer.graph.control.objects(customer.id, "compliance")
    ]
    assert item.name in names
