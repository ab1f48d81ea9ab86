"""The outbox: which events are written with the ledger, once, and only where a rule selects them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone

from notifications import conditions
from notifications.kinds import EventKind
from notifications.models import NotificationEvent
from operations.maintenance.incidents import update_incidents
from operations.models import Incident, OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending
from operations.types import OperationRunType
from providers.models import ProviderConnection
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import TenantFactory
from tests.support.factories.backups import (
    BackupScheduleFactory,
    BackupSetFactory,
    create_change,
    finish,
)
from tests.support.factories.incidents import create_incident, fail_for, succeed_for
from tests.support.factories.notifications import create_rule
from tests.support.factories.operations import create_queued_run, create_running_run
from tests.support.factories.providers import ProviderConnectionFactory
from tests.support.factories.restores import create_restore

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    return list(NotificationEvent.objects.order_by("pk").values_list("kind", flat=True))


def block(tenant: Tenant) -> OperationRun | None:
    return OperationRunService().block(
        OperationRunType.INVENTORY_SYNC,
        reason=SafeError("tenant_suspended", tenant=tenant.name),
        workspace=tenant.workspace,
        tenant=tenant,
    )


def test_a_workspace_without_rules_writes_no_event(tenant: Tenant) -> None:
    create_rule(TenantFactory().workspace)
    create_rule(tenant.workspace, events=["backup_late"])

    fail_for(tenant)
    succeed_for(tenant)
    block(tenant)
    create_incident(tenant)
    create_change(tenant)

    assert kinds() == []


def test_a_problem_and_its_recovery_are_events_of_the_same_transaction(tenant: Tenant) -> None:
    create_rule(tenant.workspace)

    with transaction.atomic():
        failed = fail_for(tenant)
        assert kinds() == ["run_failed"]
    succeed_for(tenant)

    assert kinds() == ["run_failed", "run_recovered"]
    assert set(NotificationEvent.objects.values_list("subject_id", "tenant_id")) == {
        (failed.pk, tenant.pk)
    }


def test_an_end_that_is_rolled_back_leaves_no_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace)

    with transaction.atomic():
        fail_for(tenant)
        assert kinds() == ["run_failed"]
        transaction.set_rollback(True)

    assert kinds() == []


def test_a_run_that_succeeds_and_one_that_is_cancelled_are_no_events(
    tenant: Tenant, operator: User
) -> None:
    create_rule(tenant.workspace)

    succeed_for(tenant)
    OperationRunService().request_cancel(create_queued_run(tenant), by=operator)

    assert kinds() == []


def test_the_failure_of_a_child_run_is_no_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace)
    parent = create_running_run(tenant)
    child = create_running_run(tenant, 2, context={"parent_run_id": parent.pk})

    OperationRunService().complete(child.pk, ending=Ending.ERROR, error=SafeError("worker_lost"))

    assert kinds() == []


def test_a_problem_is_an_event_only_when_the_run_ends(tenant: Tenant) -> None:
    fail_for(tenant)
    create_rule(tenant.workspace)

    OperationRun.objects.update(outcome="failed")

    assert kinds() == []


def test_a_blocked_run_is_an_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace)

    run = block(tenant)

    assert run is not None
    assert NotificationEvent.objects.get().subject_id == run.pk


def test_only_the_last_of_several_problems_recovers(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["run_recovered"])
    fail_for(tenant)
    last = fail_for(tenant)

    succeed_for(tenant)

    assert NotificationEvent.objects.get().subject_id == last.pk


def test_an_incident_is_one_event_when_it_opens_and_one_when_it_closes(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["incident_opened", "incident_closed"])

    create_incident(tenant, tenants=5)
    update_incidents()
    for each in Tenant.objects.filter(workspace=tenant.workspace):
        succeed_for(each, 4711)
    update_incidents()

    assert Incident.objects.get().closed_at is not None
    assert kinds() == ["incident_opened", "incident_closed"]


def test_the_changes_of_a_backup_are_one_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["policies_changed"])

    change = create_change(tenant)

    assert kinds() == ["policies_changed"]
    assert NotificationEvent.objects.get().subject_id == change.backup_set_id


def test_a_late_backup_is_one_event_until_the_next_complete_backup(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["backup_late"])
    schedule = BackupScheduleFactory(tenant=tenant)
    old = timezone.now() - dt.timedelta(days=4)
    finish(BackupSetFactory(schedule=schedule, started_at=old), ended_at=old)

    for _ in range(3):
        conditions.add_late_backups()
    assert kinds() == ["backup_late"]
    newer = timezone.now() - dt.timedelta(days=3)
    finish(BackupSetFactory(schedule=schedule, started_at=newer), ended_at=newer)
    conditions.add_late_backups()

    assert kinds() == ["backup_late", "backup_late"]


def test_a_backup_within_its_objective_is_no_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["backup_late"])
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))

    conditions.add_late_backups()

    assert kinds() == []


@pytest.mark.parametrize(
    ("days", "stages"),
    [(40, []), (30, ["30"]), (29, ["30"]), (7, ["7"]), (1, ["1"]), (0, ["1"]), (-2, ["expired"])],
)
def test_a_credential_is_an_event_at_each_stage(
    tenant: Tenant, days: int, stages: list[str]
) -> None:
    create_rule(tenant.workspace, events=["credential_expires"])
    connection = ProviderConnectionFactory(tenant=tenant)
    day = timezone.now().date() + dt.timedelta(days=days)
    connection.set_credential("s3cret-of-a-connection", expires_on=day)
    ProviderConnectionFactory(tenant=TenantFactory(workspace=tenant.workspace))

    conditions.add_expiring_credentials()
    conditions.add_expiring_credentials()

    keys = NotificationEvent.objects.values_list("key", flat=True)
    assert [key.rpartition(":")[2] for key in keys] == stages
    assert ProviderConnection.objects.count() == 2


def test_a_restore_that_waits_for_an_approval_is_one_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["approval_wanted"])
    Workspace.objects.filter(pk=tenant.workspace_id).update(restores_need_approval=True)
    restore = create_restore(tenant)
    create_restore(tenant, {"action": "conflict"})

    conditions.add_approvals()
    conditions.add_approvals()

    assert kinds() == [EventKind.APPROVAL_WANTED]
    assert NotificationEvent.objects.get().subject_id == restore.pk


def test_a_restore_without_the_approval_rule_is_no_event(tenant: Tenant) -> None:
    create_rule(tenant.workspace, events=["approval_wanted"])
    create_restore(tenant)

    conditions.add_approvals()

    assert kinds() == []
