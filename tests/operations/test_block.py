"""A run that cannot start is recorded as blocked, with the reason and the next step."""

from __future__ import annotations

from django.db import connection
from django.test.utils import CaptureQueriesContext

from operations.models import OperationRun
from operations.reasons import Blocked
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    RUN_NOW,
    SCHEDULED,
    SLOT,
    build_request,
    build_slot_request,
    create_queued_run,
    event_kinds,
)

REASON = Blocked("tenant_suspended", tenant="Fabrikam")


def test_a_blocked_run_ends_before_it_begins(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.block(
        RUN_NOW, reason=REASON, workspace=tenant.workspace, tenant=tenant, by=operator
    )

    assert run
    assert run.status == RunStatus.COMPLETED
    assert run.outcome == RunOutcome.BLOCKED
    assert run.started_at is None
    assert run.needs_attention
    (cause,) = run.failures
    assert cause["message"] == "The tenant Fabrikam is suspended. Operations cannot run on it."
    assert cause["next_step"] == "Set the tenant to active, then retry."
    assert event_kinds(run) == ["blocked"]


def test_a_blocked_run_does_not_affect_the_active_run(
    tenant: Tenant, service: OperationRunService
) -> None:
    active = create_queued_run(tenant)

    (blocked,) = service.block_many([(build_request(tenant), REASON)])

    assert blocked.run_identity_hash == active.run_identity_hash
    assert OperationRun.objects.active().get() == active


def test_a_blocked_slot_does_not_start_again(tenant: Tenant, service: OperationRunService) -> None:
    (blocked,) = service.block_many([(build_slot_request(tenant), REASON)])

    later = service.ensure_run(build_slot_request(tenant))

    assert later.run == blocked
    assert not later.created


def test_a_slot_that_has_started_is_not_blocked_afterwards(
    tenant: Tenant, service: OperationRunService
) -> None:
    service.ensure_run(build_slot_request(tenant))

    blocked = service.block(
        SCHEDULED,
        reason=REASON,
        workspace=tenant.workspace,
        tenant=tenant,
        context={"backup_schedule_id": 1, "scheduled_for": SLOT},
    )

    assert blocked is None
    assert OperationRun.objects.count() == 1


def test_a_batch_is_blocked_in_a_few_statements(
    tenant: Tenant, service: OperationRunService
) -> None:
    requests = [(build_slot_request(tenant, schedule), REASON) for schedule in range(300)]

    with CaptureQueriesContext(connection) as queries:
        runs = service.block_many(requests)

    assert len(runs) == 300
    assert len(queries) == 7
