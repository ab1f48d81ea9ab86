"""A retry is a new run that refers to the original run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from operations.catalog import Retry
from operations.models import OperationRun
from operations.services import NotRetryable, OperationRunService
from operations.states import RunOutcome
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import (
    RETRY,
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    dispatch,
)


@pytest.fixture
def failed_run(tenant: Tenant) -> OperationRun:
    return create_ended_run(tenant, total=2, processed=2, succeeded=1, failed=1)


def test_a_retry_is_a_new_run_with_the_same_identity(
    failed_run: OperationRun, operator: User, service: OperationRunService
) -> None:
    result = service.retry(failed_run, by=operator)

    assert result.created
    assert result.run.retry_of == failed_run
    assert result.run.type == RETRY
    assert result.run.run_identity_hash == failed_run.run_identity_hash
    assert result.run.context == failed_run.context
    assert result.run.user == operator


def test_a_retry_does_not_change_the_original_run(
    failed_run: OperationRun, operator: User, service: OperationRunService
) -> None:
    before = OperationRun.objects.filter(pk=failed_run.pk).values().get()

    service.retry(failed_run, by=operator)

    assert OperationRun.objects.filter(pk=failed_run.pk).values().get() == before


def test_a_retry_joins_the_active_run(
    tenant: Tenant, failed_run: OperationRun, operator: User, service: OperationRunService
) -> None:
    active = dispatch(tenant).run

    result = service.retry(failed_run, by=operator)

    assert result.run == active
    assert not result.created
    assert active.retry_of is None


def test_a_retry_keeps_the_identity_of_redacted_inputs(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = create_running_run(tenant, inputs={"query": "password=Xq8~Canary-7sVwLk2mPz9TfRb"})
    ended = service.complete(run.pk, ending="error")  # type: ignore[arg-type]

    assert service.retry(ended, by=operator).run.run_identity_hash == run.run_identity_hash


def test_the_retry_of_a_scheduled_backup_keeps_the_slot_in_its_context(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    scheduled = service.ensure_run(build_slot_request(tenant)).run
    service.claim(scheduled.pk, "worker-1")
    ended = service.complete(scheduled.pk, ending="error")  # type: ignore[arg-type]

    retry = service.retry(ended, by=operator).run

    assert retry.type == RETRY
    assert retry.context["scheduled_for"] == scheduled.context["scheduled_for"]


def test_a_retry_can_be_retried(
    failed_run: OperationRun, operator: User, service: OperationRunService
) -> None:
    second = service.retry(failed_run, by=operator).run
    service.request_cancel(second, by=operator)
    second.refresh_from_db()

    third = service.retry(second, by=operator).run

    assert third.retry_of == second
    assert third.type == RETRY


@pytest.mark.parametrize("outcome", ["partial", "failed", "blocked", "cancelled"])
def test_a_run_that_did_not_succeed_can_be_retried(
    tenant: Tenant, operator: User, service: OperationRunService, outcome: str
) -> None:
    ended = OperationRunFactory(tenant=tenant, **{outcome: True})

    assert service.retry(ended, by=operator).created


def test_a_succeeded_run_is_not_retried(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    ended = create_ended_run(tenant, total=1, processed=1, succeeded=1)

    with pytest.raises(NotRetryable, match="has succeeded"):
        service.retry(ended, by=operator)


@pytest.mark.parametrize("start", [create_queued_run, create_running_run])
def test_an_active_run_is_not_retried(
    tenant: Tenant, operator: User, service: OperationRunService, start: Callable[..., OperationRun]
) -> None:
    with pytest.raises(NotRetryable, match="still active"):
        service.retry(start(tenant), by=operator)


def test_a_type_without_retries_is_not_retried(
    failed_run: OperationRun, operator: User, service: OperationRunService, change_catalog: Any
) -> None:
    change_catalog(OperationRunType(failed_run.type), retry=Retry.NEVER)

    with pytest.raises(NotRetryable, match="never retried"):
        service.retry(failed_run, by=operator)


def test_a_run_of_an_unknown_type_is_not_retried(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    ended = OperationRunFactory(tenant=tenant, failed=True, type="teleport.execute")

    with pytest.raises(NotRetryable):
        service.retry(ended, by=operator)


def test_the_system_can_retry_under_its_name(
    failed_run: OperationRun, service: OperationRunService
) -> None:
    retry = service.retry(failed_run, initiator_name="Reconciler").run

    assert retry.initiator_name == "Reconciler"
    assert retry.user is None
    assert failed_run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
