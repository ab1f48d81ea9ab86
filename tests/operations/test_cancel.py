"""An operator cancels a run."""

from __future__ import annotations

import pytest

from operations.models import OperationRun
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import RunOutcome, RunStatus
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
    dispatch,
    event_kinds,
)


def test_a_queued_run_is_cancelled_at_once(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.request_cancel(create_queued_run(tenant), by=operator, reason="Wrong tenant")

    assert run.status == RunStatus.COMPLETED
    assert run.outcome == RunOutcome.CANCELLED
    assert run.cancel_requested_by == operator
    assert run.started_at is None
    assert event_kinds(run) == ["created", "cancelled"]
    assert run.events.get(kind="cancelled").message.endswith("Reason: Wrong tenant")


def test_a_running_run_receives_a_cancel_request(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    run = service.request_cancel(create_running_run(tenant), by=operator)

    assert run.status == RunStatus.RUNNING
    assert run.cancel_requested_at is not None
    assert event_kinds(run) == ["created", "started", "cancel_requested"]


@pytest.mark.parametrize("start", [create_queued_run, create_running_run])
def test_a_second_cancel_request_changes_nothing_or_reports_that_the_run_has_ended(
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
    ended = create_ended_run(tenant)

    with pytest.raises(RunNoLongerActive):
        service.request_cancel(ended, by=operator)

    ended.refresh_from_db()
    assert ended.outcome == RunOutcome.SUCCEEDED
    assert ended.cancel_requested_at is None


def test_a_run_that_was_claimed_since_the_page_loaded_receives_a_cancel_request(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    """The page showed the run as queued; in the meantime a worker has claimed it."""
    stale_run = create_queued_run(tenant)
    service.claim(stale_run.pk, "worker-1")

    run = service.request_cancel(stale_run, by=operator)

    assert run.status == RunStatus.RUNNING
    assert run.cancel_requested_at is not None


def test_after_a_cancellation_the_operation_may_be_started_again(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    service.request_cancel(create_queued_run(tenant), by=operator)

    assert dispatch(tenant).created


def test_a_run_that_finished_all_items_despite_a_cancel_request_succeeded(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    """The request came after the last item, so the run succeeded."""
    run = create_running_run(tenant)
    service.increment_summary_counts(run.pk, total=1, processed=1, succeeded=1)
    service.request_cancel(run, by=operator)

    assert service.complete(run.pk).outcome == RunOutcome.SUCCEEDED


def test_the_reason_is_redacted(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    canary = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"

    run = service.request_cancel(
        create_queued_run(tenant), by=operator, reason=f"client_secret={canary}\x00"
    )

    assert canary not in str(list(run.events.values()))
