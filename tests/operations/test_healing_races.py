"""Runs of one identity that end at the same time, over real connections, leave one result."""

from __future__ import annotations

import functools
import queue

import pytest
from django.db import connection, transaction

from operations.maintenance import settling
from operations.maintenance.integrity import check_ledger
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending
from tenancy.models import Tenant, User
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories.operations import (
    build_slot_request,
    create_ended_run,
    create_running_run,
)

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

MISSED = SafeError("missed", slots=1, now="now")
HEALING = {"recovery_is_a_later_success", "success_recovers", "one_problem_per_identity"}


def block(tenant: Tenant, schedule: int = 1, hour: int = 7) -> int:
    request = build_slot_request(tenant, schedule, slot=f"2026-03-08T{hour:02}:00Z")
    return OperationRunService().block_slots([(request, MISSED)])


def assert_settled() -> None:
    """Check the invariants as if the ticks of the last minutes had run."""
    settling.settle()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE operation_runs DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE operation_runs SET completed_at = completed_at - interval '1 hour',"
            " started_at = started_at - interval '1 hour' WHERE status = 'completed'"
        )
        cursor.execute("ALTER TABLE operation_runs ENABLE TRIGGER USER")
    violated = {result.name for result in check_ledger() if not result.is_kept}
    assert not violated & HEALING


@pytest.mark.parametrize("counts", [{"succeeded": 1}, {"failed": 1}], ids=["success", "failure"])
def test_a_slot_that_is_blocked_while_a_run_ends_needs_attention_at_most_once(
    tenant: Tenant, counts: dict[str, int]
) -> None:
    service = OperationRunService()

    with racing_threads(2) as threads:
        for schedule in range(20):
            create_ended_run(tenant, schedule, total=1, processed=1, failed=1)
            run = create_running_run(tenant, schedule)
            service.increment_summary_counts(run.pk, total=1, processed=1, **counts)
            threads.race(
                [
                    functools.partial(service.complete, run.pk),
                    functools.partial(block, tenant, schedule),
                ]
            )

    assert_settled()
    identities = OperationRun.objects.needs_attention().values_list("run_identity_hash", flat=True)
    # A success that started before the slot does not stand for it.
    assert len(identities) == len(set(identities)) == 20


def test_two_problems_that_do_not_see_each_other_are_settled_by_the_tick(tenant: Tenant) -> None:
    run = create_running_run(tenant)

    with racing_threads(1) as threads:
        with transaction.atomic():
            block(tenant)
            failing = functools.partial(OperationRunService().complete, run.pk, ending=Ending.ERROR)
            threads.submit(failing).result(timeout=60)
        assert OperationRun.objects.needs_attention().count() == 2

    settling.settle()

    assert OperationRun.objects.needs_attention().count() == 1
    assert_settled()


def test_a_success_that_does_not_see_a_blocked_slot_is_found_by_the_tick(tenant: Tenant) -> None:
    def succeed() -> OperationRun:
        return create_ended_run(tenant, total=1, processed=1, succeeded=1)

    with racing_threads(1) as threads:
        with transaction.atomic():
            block(tenant)
            success = threads.submit(succeed).result(timeout=60)
        assert OperationRun.objects.needs_attention().count() == 1

    settling.settle()

    assert not OperationRun.objects.needs_attention().exists()
    assert OperationRun.objects.get(outcome="blocked").recovered_by_id == success.pk
    assert_settled()


def test_a_slot_does_not_extend_a_run_that_recovers_at_the_same_time(tenant: Tenant) -> None:
    """The tick reads the blocked run before it recovers, and extends it after that."""
    block(tenant, hour=7)
    run = create_running_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def block_next_slot() -> int:
        pids.put(backend_pid())
        return block(tenant, hour=8)

    with racing_threads(1) as threads:
        with transaction.atomic():
            OperationRunService().complete(run.pk)
            tick = threads.submit(block_next_slot)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        assert tick.result(timeout=60) == 1

    (last,) = OperationRun.objects.needs_attention()
    assert last.context["scheduled_for"] == "2026-03-08T08:00Z"
    first = OperationRun.objects.get(context__scheduled_for="2026-03-08T07:00Z")
    assert first.recovered_by_id == run.pk
    assert "repeated" not in first.context
    assert_settled()


def test_a_success_and_an_acknowledgment_never_deadlock(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    with racing_threads(2) as threads:
        for schedule in range(20):
            problems = [
                create_ended_run(tenant, schedule, total=1, processed=1, failed=1) for _ in range(3)
            ]
            run = create_running_run(tenant, schedule)
            threads.race(
                [
                    functools.partial(service.complete, run.pk),
                    functools.partial(service.acknowledge_many, problems[::-1], by=operator),
                ]
            )
            recovered = OperationRun.objects.filter(recovered_by=run)
            assert recovered.count() == 3

    assert not OperationRun.objects.needs_attention().exists()
    assert_settled()
