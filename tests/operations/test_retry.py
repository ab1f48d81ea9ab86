"""A run is repeated: as a new run that knows what it repeats."""

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
    a_queued_run,
    a_running_run,
    a_slot_request,
    an_ended_run,
    dispatch,
)


@pytest.fixture
def failed(tenant: Tenant) -> OperationRun:
    return an_ended_run(tenant, total=2, processed=2, succeeded=1, failed=1)


def test_a_retry_is_a_new_run_with_the_same_identity(
    failed: OperationRun, operator: User, service: OperationRunService
) -> None:
    result = service.retry(failed, by=operator)

    assert result.created
    assert result.run.retry_of == failed
    assert result.run.type == RETRY
    assert result.run.run_identity_hash == failed.run_identity_hash
    assert result.run.context == failed.context
    assert result.run.user == operator


def test_the_repeated_run_stays_as_it_was(
    failed: OperationRun, operator: User, service: OperationRunService
) -> None:
    before = OperationRun.objects.filter(pk=failed.pk).values().get()

    service.retry(failed, by=operator)

    assert OperationRun.objects.filter(pk=failed.pk).values().get() == before


def test_a_retry_joins_the_run_that_is_already_active(
    tenant: Tenant, failed: OperationRun, operator: User, service: OperationRunService
) -> None:
    active = dispatch(tenant).run

    result = service.retry(failed, by=operator)

    assert result.run == active
    assert not result.created
    assert active.retry_of is None


def test_the_identity_holds_even_where_the_inputs_were_redacted(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = a_running_run(tenant, inputs={"query": "password=Xq8~Canary-7sVwLk2mPz9TfRb"})
    ended = service.complete(run.pk, ending="error")  # type: ignore[arg-type]

    assert service.retry(ended, by=operator).run.run_identity_hash == run.run_identity_hash


def test_the_retry_of_a_scheduled_backup_leaves_it_its_slot(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    scheduled = service.ensure_run(a_slot_request(tenant)).run
    service.claim(scheduled.pk, "worker-1")
    ended = service.complete(scheduled.pk, ending="error")  # type: ignore[arg-type]

    retry = service.retry(ended, by=operator).run

    assert retry.type == RETRY
    assert retry.context["scheduled_for"] == scheduled.context["scheduled_for"]


def test_a_retry_can_be_retried(
    failed: OperationRun, operator: User, service: OperationRunService
) -> None:
    second = service.retry(failed, by=operator).run
    service.request_cancel(second, by=operator)
    second.refresh_from_db()

    third = service.retry(second, by=operator).run

    assert third.retry_of == second
    assert third.type == RETRY


@pytest.mark.parametrize("outcome", ["partial", "failed", "blocked", "cancelled"])
def test_whatever_did_not_succeed_may_be_repeated(
    tenant: Tenant, operator: User, service: OperationRunService, outcome: str
) -> None:
    ended = OperationRunFactory(tenant=tenant, **{outcome: True})

    assert service.retry(ended, by=operator).created


def test_what_has_succeeded_is_not_repeated(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    ended = an_ended_run(tenant, total=1, processed=1, succeeded=1)

    with pytest.raises(NotRetryable, match="has succeeded"):
        service.retry(ended, by=operator)


@pytest.mark.parametrize("start", [a_queued_run, a_running_run])
def test_an_active_run_is_not_repeated(
    tenant: Tenant, operator: User, service: OperationRunService, start: Callable[..., OperationRun]
) -> None:
    with pytest.raises(NotRetryable, match="still active"):
        service.retry(start(tenant), by=operator)


def test_a_type_that_must_not_be_repeated_is_not(
    failed: OperationRun, operator: User, service: OperationRunService, change_catalog: Any
) -> None:
    change_catalog(OperationRunType(failed.type), retry=Retry.NEVER)

    with pytest.raises(NotRetryable, match="never retried"):
        service.retry(failed, by=operator)


def test_a_type_of_another_version_is_not_repeated(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    ended = OperationRunFactory(tenant=tenant, failed=True, type="teleport.execute")

    with pytest.raises(NotRetryable):
        service.retry(ended, by=operator)


def test_the_system_may_retry_under_its_own_name(
    failed: OperationRun, service: OperationRunService
) -> None:
    retry = service.retry(failed, initiator_name="Reconciler").run

    assert retry.initiator_name == "Reconciler"
    assert retry.user is None
    assert failed.outcome == RunOutcome.PARTIALLY_SUCCEEDED
