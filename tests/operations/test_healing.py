"""A later run of an identity resolves its earlier problems."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from operations.dispatch import RunRequest
from operations.maintenance import settling
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import NotRetryable, OperationRunService
from operations.states import Ending
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.database import without_guards
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import BackupScheduleFactory, BackupSetFactory, finish
from tests.support.factories.operations import (
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)
from tests.support.sessions import open_session

MISSED = SafeError("missed", slots=1, now="now")


def fail(tenant: Tenant, schedule: int = 1) -> OperationRun:
    return create_ended_run(tenant, schedule, total=1, processed=1, failed=1)


def succeed(tenant: Tenant, schedule: int = 1) -> OperationRun:
    return create_ended_run(tenant, schedule, total=1, processed=1, succeeded=1)


def partially_succeed(tenant: Tenant, schedule: int = 1) -> OperationRun:
    return create_ended_run(tenant, schedule, total=2, processed=2, succeeded=1, failed=1)


def block(tenant: Tenant, slot: str = "2026-03-08T07:00Z") -> OperationRun:
    (run,) = OperationRunService().block_many([(build_slot_request(tenant, slot=slot), MISSED)])
    return run


def reload(run: OperationRun) -> OperationRun:
    return OperationRun.objects.get(pk=run.pk)


# --- recovery -------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [fail, partially_succeed, block])
def test_a_later_success_recovers_a_problem(
    tenant: Tenant, end: Callable[[Tenant], OperationRun]
) -> None:
    problem = end(tenant)
    assert problem.needs_attention

    success = succeed(tenant)

    recovered = reload(problem)
    assert recovered.recovered_by_id == success.pk
    assert recovered.recovered_at == success.completed_at
    assert not recovered.needs_attention
    assert not OperationRun.objects.needs_attention().exists()
    assert event_kinds(problem)[-1] == "recovered"
    assert problem.events.latest("sequence").message == f"Recovered by run {success.pk}."


def test_a_retry_that_succeeds_recovers_the_whole_chain(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    first = fail(tenant)
    second = service.retry(first, by=operator).run
    service.claim(second.pk, "worker-1")
    service.complete(second.pk, ending=Ending.ERROR)
    third = service.retry(reload(second), by=operator).run
    service.claim(third.pk, "worker-1")

    service.complete(third.pk)

    assert reload(first).recovered_by_id == reload(second).recovered_by_id == third.pk


@pytest.mark.parametrize("end", [partially_succeed, fail, block])
def test_only_a_complete_success_recovers(
    tenant: Tenant, end: Callable[[Tenant], OperationRun]
) -> None:
    problem = fail(tenant)

    end(tenant)

    assert reload(problem).recovered_at is None


def test_a_cancelled_run_resolves_nothing(tenant: Tenant, service: OperationRunService) -> None:
    problem = fail(tenant)

    service.complete(create_running_run(tenant).pk, ending=Ending.CANCELLED)

    assert reload(problem).needs_attention


def test_another_identity_recovers_nothing(tenant: Tenant) -> None:
    problem = fail(tenant, 1)

    succeed(tenant, 2)

    assert reload(problem).needs_attention


def test_a_success_that_started_before_a_slot_was_blocked_does_not_recover_it(
    tenant: Tenant, service: OperationRunService
) -> None:
    """What the run had read before the slot is not what the slot was for."""
    running = create_running_run(tenant)
    blocked = block(tenant)

    service.complete(running.pk)

    assert reload(blocked).needs_attention
    succeed(tenant)
    assert reload(blocked).recovered_at is not None


def test_a_success_that_was_queued_before_a_slot_was_blocked_recovers_it(
    tenant: Tenant, service: OperationRunService
) -> None:
    queued = create_queued_run(tenant)
    blocked = block(tenant)

    service.claim(queued.pk, "worker-1")
    service.complete(queued.pk)

    assert reload(blocked).recovered_by_id == queued.pk


def test_an_acknowledged_problem_recovers_too(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    problem = service.acknowledge(fail(tenant), by=operator)

    success = succeed(tenant)

    assert reload(problem).recovered_by_id == success.pk


def test_a_recovered_run_is_neither_acknowledged_nor_retried(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    problem = fail(tenant)
    success = succeed(tenant)

    assert service.acknowledge(reload(problem), by=operator).acknowledged_at is None
    with pytest.raises(NotRetryable, match=f"#{success.pk} has succeeded"):
        service.retry(reload(problem), by=operator)


# --- one problem for each identity ---------------------------------------------------------------


@pytest.mark.parametrize("end", [fail, partially_succeed, block])
def test_the_last_problem_stands_for_the_earlier_ones(
    tenant: Tenant, end: Callable[[Tenant], OperationRun]
) -> None:
    first, second = fail(tenant), partially_succeed(tenant)

    last = end(tenant)

    assert list(OperationRun.objects.needs_attention()) == [last]
    assert reload(first).superseded_by_id == second.pk
    assert reload(second).superseded_by_id == last.pk
    assert not reload(first).needs_attention


def test_a_bulk_retry_that_fails_again_does_not_double_the_list(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    problems = [fail(tenant, schedule) for schedule in range(5)]

    for result in service.retry_many(problems, by=operator):
        service.claim(result.run.pk, "worker-1")  # type: ignore[union-attr]
        service.complete(result.run.pk, ending=Ending.ERROR)  # type: ignore[union-attr]

    assert OperationRun.objects.needs_attention().count() == 5
    assert {run.retry_of_id for run in OperationRun.objects.needs_attention()} == {
        run.pk for run in problems
    }


def test_a_new_problem_after_an_acknowledged_one_needs_attention(
    tenant: Tenant, operator: User, service: OperationRunService
) -> None:
    service.acknowledge(fail(tenant), by=operator)

    last = fail(tenant)

    assert list(OperationRun.objects.needs_attention()) == [last]


def test_a_child_run_counts_under_its_parent(tenant: Tenant) -> None:
    parent = OperationRunFactory(tenant=tenant, partial=True)
    child = OperationRunFactory(tenant=tenant, failed=True, context={"parent_run_id": parent.pk})

    assert list(OperationRun.objects.needs_attention()) == [parent]
    assert not child.needs_attention
    assert child.is_acknowledgeable


# --- blocked slots --------------------------------------------------------------------------------


def test_a_slot_that_is_blocked_after_a_recovery_needs_attention_again(
    tenant: Tenant, service: OperationRunService
) -> None:
    def block_slot(hour: int) -> None:
        request = build_slot_request(tenant, slot=f"2026-03-08T{hour:02}:00Z")
        assert service.block_slots([(request, MISSED)]) == 1

    block_slot(7)
    block_slot(8)
    first = OperationRun.objects.get()
    assert first.context["repeated"]["slots"] == 2
    success = succeed(tenant)

    block_slot(9)

    (last,) = OperationRun.objects.needs_attention()
    assert last.context["scheduled_for"] == "2026-03-08T09:00Z"
    assert reload(first).recovered_by_id == success.pk
    assert reload(first).context["repeated"]["slots"] == 2


def test_a_success_before_the_last_repeated_slot_does_not_recover_the_run(
    tenant: Tenant, service: OperationRunService
) -> None:
    running = create_running_run(tenant)
    blocked = block(tenant)
    soon = running.created_at + dt.timedelta(minutes=5)
    last = f"{soon.astimezone(dt.UTC):%Y-%m-%dT%H:%MZ}"
    with without_guards("operation_runs", "operation_run_events") as cursor:
        cursor.execute(
            "UPDATE operation_runs SET context = jsonb_set(context, '{repeated}',"
            " jsonb_build_object('slots', 2, 'first', context->'scheduled_for',"
            " 'last', %s::text)) WHERE id = %s",
            [last, blocked.pk],
        )
    service.complete(running.pk)

    succeed(tenant)

    assert reload(blocked).needs_attention


# --- what a tick settles --------------------------------------------------------------------------


def as_older_version(*runs: OperationRun) -> None:
    """Take from runs what an older version does not write."""
    with without_guards("operation_runs", "operation_run_events") as cursor:
        cursor.execute(
            "UPDATE operation_runs SET cause = '', recovered_by_id = NULL, recovered_at = NULL,"
            " superseded_by_id = NULL WHERE id = ANY (%s)",
            [[run.pk for run in runs]],
        )


def test_a_tick_settles_the_runs_of_an_older_version(tenant: Tenant) -> None:
    recovered, superseded, last = fail(tenant, 1), fail(tenant, 2), fail(tenant, 2)
    success = succeed(tenant, 1)
    as_older_version(recovered, superseded, last)
    assert OperationRun.objects.needs_attention().count() == 3

    assert settling.settle() == 3

    assert reload(recovered).recovered_by_id == success.pk
    assert reload(superseded).superseded_by_id == last.pk
    assert list(OperationRun.objects.needs_attention()) == [last]
    assert {run.cause for run in (reload(recovered), reload(last))} == {"cause_unknown"}
    assert settling.settle() == 0


def test_a_tick_settles_a_bounded_number_of_runs(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "BATCH", 2)
    monkeypatch.setattr(settling, "MAX_BATCHES", 2)
    runs = [fail(tenant, schedule) for schedule in range(5)]
    as_older_version(*runs)

    assert [settling.settle() for _ in range(3)] == [4, 1, 0]
    assert not OperationRun.objects.filter(outcome="failed", cause="").exists()


def test_a_workspace_run_of_an_older_version_recovers(
    tenant: Tenant, workspace_scoped: OperationRunType, service: OperationRunService
) -> None:
    def end(ending: Ending) -> OperationRun:
        request = RunRequest(type=workspace_scoped, workspace=tenant.workspace)
        run = service.ensure_run(request).run
        service.claim(run.pk, "worker-1")
        return service.complete(run.pk, ending=ending)

    problem, success = end(Ending.ERROR), end(Ending.FINISHED)
    as_older_version(problem)

    settling.settle()

    assert reload(problem).recovered_by_id == success.pk


# --- pages ----------------------------------------------------------------------------------------


def test_pages_link_to_the_run_that_recovered_a_problem(
    client: Client, tenant: Tenant, operator: User
) -> None:
    open_session(client, operator)
    problem = fail(tenant)
    success = succeed(tenant)

    page = client.get(f"/runs/{problem.pk}/").content.decode()
    rows = client.get("/w/contoso/runs/?outcome=failed").content.decode()

    assert f'Recovered by <a href="/runs/{success.pk}/">run #{success.pk}</a>' in page
    assert "retry-button" not in page
    assert "acknowledge-button" not in page
    assert f'recovered by <a href="/runs/{success.pk}/">#{success.pk}</a>' in rows
    # A workspace without a complete set shows its first steps instead of empty panels.
    finish(BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant)))
    assert "Nothing needs attention" in client.get("/w/contoso/").content.decode()


def test_pages_explain_why_a_problem_is_not_in_the_list(
    client: Client, tenant: Tenant, operator: User
) -> None:
    open_session(client, operator)
    first, last = fail(tenant), fail(tenant)
    child = OperationRunFactory(tenant=tenant, failed=True, context={"parent_run_id": last.pk})

    assert (
        f'<a href="/runs/{last.pk}/">Run #{last.pk}</a> had a problem later'
        in client.get(f"/runs/{first.pk}/").content.decode()
    )
    assert (
        f'counts under its parent, <a href="/runs/{last.pk}/">run #{last.pk}</a>'
        in client.get(f"/runs/{child.pk}/").content.decode()
    )


def test_the_link_to_a_removed_success_leads_to_what_it_was(
    client: Client, tenant: Tenant, operator: User
) -> None:
    open_session(client, operator)
    problem, success = fail(tenant), succeed(tenant)
    with without_guards("operation_runs", "operation_run_events") as cursor:
        cursor.execute(
            "INSERT INTO operation_run_tombstones (id, workspace_id, tenant_id, type, outcome,"
            " counts, created_at, completed_at, pruned_at) SELECT id, workspace_id, tenant_id,"
            " type, outcome, '{}', created_at, completed_at, now() FROM operation_runs"
            " WHERE id = %s",
            [success.pk],
        )
        cursor.execute("DELETE FROM operation_run_events WHERE run_id = %s", [success.pk])
        cursor.execute("DELETE FROM operation_runs WHERE id = %s", [success.pk])

    page = client.get(f"/runs/{problem.pk}/").content.decode()

    assert reload(problem).recovered_at is not None
    assert f'<a href="/runs/{success.pk}/">run #{success.pk}</a>' in page
    assert client.get(f"/runs/{success.pk}/").status_code == 410
