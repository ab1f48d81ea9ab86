"""Somebody asks a run to stop."""

from __future__ import annotations

import pytest

from operations.models import OperationRun
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import RunOutcome, RunStatus
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    a_queued_run,
    a_running_run,
    an_ended_run,
    dispatch,
    event_kinds,
)


def test_a_queued_run_is_cancelled_at_once(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.request_cancel(a_queued_run(tenant), by=operator, reason="Wrong tenant")

    assert run.status == RunStatus.COMPLETED
    assert run.outcome == RunOutcome.CANCELLED
    assert run.cancel_requested_by == operator
    assert run.started_at is None
    assert event_kinds(run) == ["created", "cancelled"]
    assert run.events.get(kind="cancelled").message.endswith("Reason: Wrong tenant")


def test_a_running_run_is_asked_to_stop(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.request_cancel(a_running_run(tenant), by=operator)

    assert run.status == RunStatus.RUNNING
    assert run.cancel_requested_at is not None
    assert event_kinds(run) == ["created", "started", "cancel_requested"]


@pytest.mark.parametrize("start", [a_queued_run, a_running_run])
def test_asking_twice_changes_nothing_or_says_that_it_is_over(
    tenant: Tenant, operator: User, manager: User, service: OperationRunService, start: object
) -> None:
    run: OperationRun = start(tenant)  # type: ignore[operator]
    first = service.request_cancel(run, by=operator)

    if first.is_active:
        service.request_cancel(run, by=manager)
    else:
        with pytest.raises(RunNoLongerActive):
            service.request_cancel(run, by=manager)

    run.refresh_from_db()
    assert run.cancel_requested_at == first.cancel_requested_at
    assert run.cancel_requested_by == operator
    assert len(event_kinds(run)) == len(event_kinds(first))


def test_an_ended_run_is_not_cancelled(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    ended = an_ended_run(tenant)

    with pytest.raises(RunNoLongerActive):
        service.request_cancel(ended, by=operator)

    ended.refresh_from_db()
    assert ended.outcome == RunOutcome.SUCCEEDED
    assert ended.cancel_requested_at is None


def test_a_stale_picture_of_the_run_does_no_harm(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    """The page showed it as queued; by now a worker has it."""
    as_shown = a_queued_run(tenant)
    service.claim(as_shown.pk, "worker-1")

    run = service.request_cancel(as_shown, by=operator)

    assert run.status == RunStatus.RUNNING
    assert run.cancel_requested_at is not None


def test_after_a_cancellation_the_operation_may_be_started_again(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    service.request_cancel(a_queued_run(tenant), by=operator)

    assert dispatch(tenant).created


def test_a_worker_that_finishes_all_the_same_tells_the_truth(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    """The request came after the last item: everything was done, and the run says so."""
    run = a_running_run(tenant)
    service.increment_summary_counts(run.pk, total=1, processed=1, succeeded=1)
    service.request_cancel(run, by=operator)

    assert service.complete(run.pk).outcome == RunOutcome.SUCCEEDED


def test_the_reason_is_redacted(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    canary = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"

    run = service.request_cancel(
        a_queued_run(tenant), by=operator, reason=f"client_secret={canary}\x00"
    )

    assert canary not in str(list(run.events.values()))
