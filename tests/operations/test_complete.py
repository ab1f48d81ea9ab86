"""A run ends exactly once, and its outcome follows from its counts."""

from __future__ import annotations

from typing import Any

import pytest

from operations.failures import Failure
from operations.models import EventLevel, OperationRun
from operations.reasons import Blocked, SafeError
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import Ending, RunOutcome, RunStatus
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)


@pytest.fixture
def run(tenant: Tenant) -> OperationRun:
    return create_running_run(tenant)


@pytest.mark.parametrize(
    ("counts", "outcome", "level"),
    [
        ({"total": 2, "processed": 2, "succeeded": 2}, RunOutcome.SUCCEEDED, EventLevel.INFO),
        (
            {"total": 2, "processed": 2, "succeeded": 1, "failed": 1},
            RunOutcome.PARTIALLY_SUCCEEDED,
            EventLevel.WARNING,
        ),
        ({"total": 2, "processed": 2, "failed": 2}, RunOutcome.FAILED, EventLevel.ERROR),
        ({}, RunOutcome.SUCCEEDED, EventLevel.INFO),
    ],
)
def test_the_outcome_follows_from_the_counts(
    tenant: Tenant, counts: dict[str, int], outcome: RunOutcome, level: EventLevel
) -> None:
    ended = create_ended_run(tenant, **counts)

    assert ended.status == RunStatus.COMPLETED
    assert ended.outcome == outcome
    assert ended.completed_at is not None
    assert ended.events.get(kind="ended").level == level


def test_a_run_ends_exactly_once(run: OperationRun, service: OperationRunService) -> None:
    first = service.complete(run.pk)

    with pytest.raises(RunNoLongerActive):
        service.complete(run.pk, ending=Ending.ERROR, error=SafeError("lease_lost"))

    run.refresh_from_db()
    assert run.completed_at == first.completed_at
    assert run.outcome == RunOutcome.SUCCEEDED
    assert run.failure_summary == []
    assert event_kinds(run).count("ended") == 1


def test_items_that_were_not_reached_are_reported_as_not_attempted(
    run: OperationRun, service: OperationRunService
) -> None:
    service.increment_summary_counts(run.pk, total=10, processed=7, succeeded=7)

    ended = service.complete(run.pk)

    assert ended.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert [(cause["code"], cause["count"]) for cause in ended.failures] == [("not_attempted", 3)]


def test_a_cancelled_run_lists_no_failure_for_items_it_did_not_reach(
    run: OperationRun, service: OperationRunService
) -> None:
    service.increment_summary_counts(run.pk, total=10, processed=7, succeeded=7)

    ended = service.complete(run.pk, ending=Ending.CANCELLED)

    assert ended.outcome == RunOutcome.CANCELLED
    assert ended.failures == []
    assert not ended.needs_attention


@pytest.mark.parametrize(
    ("ending", "error", "outcome"),
    [
        (Ending.ERROR, SafeError("lease_lost"), RunOutcome.FAILED),
        (Ending.BLOCKED, Blocked("tenant_suspended", tenant="Fabrikam"), RunOutcome.BLOCKED),
    ],
)
def test_the_error_that_ended_a_run_is_its_failure(
    run: OperationRun,
    service: OperationRunService,
    ending: Ending,
    error: SafeError,
    outcome: RunOutcome,
) -> None:
    ended = service.complete(run.pk, ending=ending, error=error)

    (cause,) = ended.failures
    assert ended.outcome == outcome
    assert (cause["code"], cause["message"]) == (error.code, error.message)
    assert cause["next_step"] == error.next_step
    assert ended.needs_attention


def test_the_failures_of_the_items_are_kept_at_the_end(
    run: OperationRun, service: OperationRunService
) -> None:
    service.append_failures(run.pk, [Failure(SafeError("not_attempted"), count=2)])

    ended = service.complete(run.pk, ending=Ending.ERROR, error=SafeError("lease_lost"))

    assert [cause["code"] for cause in ended.failures] == ["not_attempted", "lease_lost"]


def test_an_ended_run_is_neither_active_nor_waiting_for_a_message(tenant: Tenant) -> None:
    ended = create_ended_run(tenant)

    assert ended.next_publish_at is None
    assert not ended.is_active
    assert ended.duration is not None


# --- a run as it was claimed ----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_run_without_reports_is_claimed_and_completed_by_one_statement_each(
    tenant: Tenant, service: OperationRunService, django_assert_num_queries: Any
) -> None:
    queued = create_queued_run(tenant)

    with django_assert_num_queries(1):
        claimed = service.claim(queued.pk, "worker-1")
    assert claimed
    with django_assert_num_queries(1):
        ended = service.complete(claimed.pk, claimed=claimed)

    assert ended.outcome == RunOutcome.SUCCEEDED
    assert event_kinds(ended) == ["created", "started", "ended"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [None, SafeError("lease_lost")])
def test_a_run_without_reports_is_returned_as_it_ended(
    tenant: Tenant, service: OperationRunService, error: SafeError | None
) -> None:
    claimed = service.claim(create_queued_run(tenant).pk, "worker-1")
    assert claimed

    ending = Ending.ERROR if error else Ending.FINISHED
    ended = service.complete(claimed.pk, ending=ending, error=error, claimed=claimed)

    stored = OperationRun.objects.extra(select={"version": "xmin::text"}).get(pk=claimed.pk)
    for field in OperationRun._meta.concrete_fields:
        assert getattr(ended, field.attname) == getattr(stored, field.attname), field.name
    assert ended.row_version == stored.version  # type: ignore[attr-defined]
    assert (ended.tenant, ended.workspace) == (tenant, tenant.workspace)


def test_counts_since_the_claim_decide_the_outcome(
    run: OperationRun, service: OperationRunService
) -> None:
    service.increment_summary_counts(run.pk, total=2, processed=2, succeeded=1, failed=1)

    ended = service.complete(run.pk, claimed=run)

    assert ended.outcome == RunOutcome.PARTIALLY_SUCCEEDED


def test_a_cancel_request_since_the_claim_decides_the_ending(
    run: OperationRun, service: OperationRunService, operator: User
) -> None:
    service.request_cancel(run, by=operator)

    ended = service.complete(
        run.pk, ending=Ending.ERROR, error=SafeError("lease_lost"), claimed=run
    )

    assert ended.outcome == RunOutcome.CANCELLED


def test_a_problem_since_the_claim_is_superseded(
    tenant: Tenant, service: OperationRunService
) -> None:
    run = create_running_run(tenant)
    missed = SafeError("missed", slots=1, now="now")
    (blocked,) = service.block_many([(build_slot_request(tenant), missed)])
    assert blocked.run_identity_hash == run.run_identity_hash

    service.complete(run.pk, ending=Ending.ERROR, error=SafeError("lease_lost"), claimed=run)

    blocked.refresh_from_db()
    assert blocked.superseded_by_id == run.pk


def test_an_ended_run_is_not_completed_again_as_it_was_claimed(
    run: OperationRun, service: OperationRunService
) -> None:
    service.complete(run.pk)

    with pytest.raises(RunNoLongerActive):
        service.complete(run.pk, claimed=run)
