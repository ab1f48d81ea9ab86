"""A queued run is claimed by one worker, once."""

from __future__ import annotations

from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunStatus
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)


def test_a_claimed_run_is_running_with_a_lease(
    tenant: Tenant, service: OperationRunService
) -> None:
    run = service.claim(create_queued_run(tenant).pk, "worker-1:42")

    assert run
    assert run.status == RunStatus.RUNNING
    assert run.worker == "worker-1:42"
    assert run.started_at is not None
    assert run.heartbeat_at is not None
    assert run.next_publish_at is None
    assert event_kinds(run) == ["created", "started"]


def test_a_claimed_run_cannot_be_claimed_again(
    tenant: Tenant, service: OperationRunService
) -> None:
    run = create_running_run(tenant)

    assert service.claim(run.pk, "worker-2") is None

    run.refresh_from_db()
    assert run.worker == "worker-1"
    assert event_kinds(run) == ["created", "started"]


def test_an_ended_run_is_never_claimed(tenant: Tenant, service: OperationRunService) -> None:
    assert service.claim(create_ended_run(tenant).pk, "worker-2") is None


def test_a_cancelled_run_is_never_claimed(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = create_queued_run(tenant)
    service.request_cancel(run, by=operator)

    assert service.claim(run.pk, "worker-1") is None


def test_a_run_that_does_not_exist_cannot_be_claimed(
    db: None, service: OperationRunService
) -> None:
    assert service.claim(2**62, "worker-1") is None


def test_the_worker_name_is_sanitized_and_truncated(
    tenant: Tenant, service: OperationRunService
) -> None:
    run = service.claim(create_queued_run(tenant).pk, "worker\x00-1\n" + "x" * 500)

    assert run
    assert run.worker.startswith("worker")
    assert run.worker.isprintable()
    assert len(run.worker) <= 200


def test_a_claimed_run_has_its_tenant_and_workspace_loaded(
    tenant: Tenant, service: OperationRunService, django_assert_num_queries: object
) -> None:
    run = service.claim(create_queued_run(tenant).pk, "worker-1")

    assert run
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert (run.tenant, run.workspace) == (tenant, tenant.workspace)
    assert OperationRun.objects.active().get() == run
