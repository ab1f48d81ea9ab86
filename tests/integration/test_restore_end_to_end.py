"""A restore from its buttons to its end, by a real worker with a real Graph sandbox."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from backups.models import BackupSet
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from providers.models import Access, ProviderConnection
from restores import services
from restores.models import Action, RestoreRun, RestoreStatus
from tenancy.models import User
from tests.integration.buttons import start
from tests.support.customer import Customer
from tests.support.sessions import open_session
from tests.support.stack import Stack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def ended(run: OperationRun | None) -> OperationRun:
    assert run is not None

    def look() -> OperationRun | None:
        return OperationRun.objects.filter(pk=run.pk, status=RunStatus.COMPLETED).first()

    completed: OperationRun = eventually(look, seconds=40, what=f"the end of run {run.pk}")
    return completed


@pytest.mark.executes(OperationRunType.RESTORE_PREVIEW, OperationRunType.RESTORE_EXECUTE)
def test_a_deleted_policy_comes_back(customer: Customer, stack: Stack, manager: User) -> None:
    stack.worker(concurrency=1)
    page = Client()
    open_session(page, manager)
    ProviderConnection.objects.update(access=Access.READ_WRITE)
    start(page, "schedule_run_now", customer.schedule.pk)
    backup_set = BackupSet.objects.get()
    item = backup_set.items.filter(kind="compliance").first()
    assert item
    customer.graph.control.delete_object(customer.id, "compliance", item.graph_id)

    choose = reverse("restore_create", args=["contoso", backup_set.pk])
    page.post(choose, {"item": item.pk, "assignments": "backup", "access_state": "report_only"})
    restore = RestoreRun.objects.with_scope().get()
    preview = ended(restore.preview_run)
    restore.refresh_from_db()
    assert (preview.outcome, restore.status) == (RunOutcome.SUCCEEDED, RestoreStatus.PREVIEWED)
    assert restore.items.get().action == Action.CREATE
    page.post(
        reverse("restore_execute", args=["contoso", restore.pk]),
        {"decision_digest": services.decision_digest_of(restore), "tenant_name": "Fabrikam"},
    )
    restore = RestoreRun.objects.with_scope().get()
    written = ended(restore.execute_run)

    restore.refresh_from_db()
    assert written.outcome == RunOutcome.SUCCEEDED, (written.failures, stack.logs())
    assert restore.status == RestoreStatus.ENDED
    names = [
        each["displayName"] for each in customer.graph.control.objects(customer.id, "compliance")
    ]
    assert item.name in names
