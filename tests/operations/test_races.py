"""Concurrent operations over real connections leave the ledger consistent."""

from __future__ import annotations

import datetime as dt
import functools
import queue
import random
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from operations.delivery import relay
from operations.events import Event
from operations.failures import Failure
from operations.maintenance.reconciler import reconcile
from operations.models import OperationRun
from operations.progress import ItemResult
from operations.reasons import SafeError
from operations.services import NotRetryable, OperationRunService, RunNoLongerActive
from operations.states import ItemOutcome, RunOutcome, RunStatus
from tenancy.models import Tenant, User
from tests.support.broker import Broker
from tests.support.concurrency import backend_pid, racing_threads, wait_until_blocked
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import (
    build_request,
    build_slot_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

Job = Callable[[], Any]


def ensure(tenant: Tenant, schedule: int = 1) -> tuple[int, bool]:
    result = OperationRunService().ensure_run(build_request(tenant, schedule))
    return result.run.pk, result.created


def outcome_of(job: Job) -> Job:
    """Wrap `job` to return the name of a refusal instead of raising it."""

    def attempt() -> Any:
        try:
            return job()
        except (RunNoLongerActive, NotRetryable) as error:
            return type(error).__name__

    return attempt


# --- dispatch -------------------------------------------------------------------------------------


def test_sixteen_dispatchers_create_exactly_one_run_per_round(tenant: Tenant) -> None:
    with racing_threads(16) as dispatchers:
        for schedule in range(100):
            results = dispatchers.race([functools.partial(ensure, tenant, schedule)] * 16)

            assert len({run_id for run_id, _ in results}) == 1
            assert sum(created for _, created in results) == 1

    assert OperationRun.objects.count() == 100
    assert all(
        event_kinds(run) == ["created"] + ["joined"] * 15 for run in OperationRun.objects.all()[:10]
    )


def test_a_form_that_is_posted_repeatedly_while_its_run_ends_starts_one_run(tenant: Tenant) -> None:
    service = OperationRunService()

    def post_and_end(form: uuid.UUID) -> int:
        run = service.ensure_run(build_request(tenant, submission=form)).run
        if service.claim(run.pk, "worker"):
            service.complete(run.pk)
        return run.pk

    with racing_threads(8) as users:
        for _ in range(40):
            runs = users.race([functools.partial(post_and_end, uuid.uuid4())] * 8)

            assert len(set(runs)) == 1

    assert OperationRun.objects.count() == 40


def test_dispatchers_and_workers_never_create_two_active_runs(tenant: Tenant) -> None:
    """A request that would join a run that has just ended creates a new run."""
    service = OperationRunService()

    def dispatch_and_end() -> int:
        run_id, _ = ensure(tenant)
        if service.claim(run_id, "worker"):
            service.complete(run_id)
            return 1
        return 0

    with racing_threads(8) as threads:
        ended = sum(sum(threads.race([dispatch_and_end] * 8)) for _ in range(40))

    assert ended == OperationRun.objects.filter(status=RunStatus.COMPLETED).count()
    assert OperationRun.objects.active().count() <= 1


def test_a_waiting_request_creates_the_run_when_the_first_rolls_back(tenant: Tenant) -> None:
    pids: queue.Queue[int] = queue.Queue()

    def ensure_after_first() -> tuple[int, bool]:
        pids.put(backend_pid())
        return ensure(tenant)

    with racing_threads(1) as threads:
        with transaction.atomic():
            first_id, created = ensure(tenant)
            waiter = threads.submit(ensure_after_first)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
            transaction.set_rollback(True)
        second_id, created_by_waiter = waiter.result(timeout=60)

    assert created
    assert created_by_waiter
    assert second_id != first_id
    assert [run.pk for run in OperationRun.objects.all()] == [second_id]


def test_a_waiting_request_joins_the_run_when_the_first_commits(tenant: Tenant) -> None:
    pids: queue.Queue[int] = queue.Queue()

    def ensure_after_first() -> tuple[int, bool]:
        pids.put(backend_pid())
        return ensure(tenant)

    with racing_threads(1) as threads:
        with transaction.atomic():
            first_id, _ = ensure(tenant)
            waiter = threads.submit(ensure_after_first)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())

        assert waiter.result(timeout=60) == (first_id, False)


def test_batches_in_opposite_order_never_deadlock(tenant: Tenant) -> None:
    service = OperationRunService()

    def ensure_batch(requests: list[Any]) -> set[int]:
        return {result.run.pk for result in service.ensure_runs(requests)}

    with racing_threads(2) as dispatchers:
        for at in range(50):
            requests = [build_request(tenant, at * 100 + schedule) for schedule in range(20)]
            forward, backward = dispatchers.race(
                [
                    functools.partial(ensure_batch, requests),
                    functools.partial(ensure_batch, requests[::-1]),
                ]
            )

            assert forward == backward

    assert OperationRun.objects.count() == 50 * 20


def test_batches_that_join_active_runs_in_opposite_order_never_deadlock(tenant: Tenant) -> None:
    service = OperationRunService()
    requests = [build_request(tenant, schedule) for schedule in range(20)]
    service.ensure_runs(requests)
    shuffled = [random.Random(seed).sample(requests, 20) for seed in range(4)]

    with racing_threads(4) as dispatchers:
        for _ in range(25):
            dispatchers.race([functools.partial(service.ensure_runs, batch) for batch in shuffled])

    run = OperationRun.objects.first()
    assert run
    assert event_kinds(run) == ["created"] + ["joined"] * 100
    assert list(run.events.values_list("sequence", flat=True)) == list(range(1, 102))


def test_a_slot_starts_once_for_any_number_of_ticks(tenant: Tenant) -> None:
    service = OperationRunService()
    slots = [build_slot_request(tenant, schedule) for schedule in range(50)]

    def tick() -> int:
        """Start and complete the due slots, so that only the slot itself prevents a second run."""
        created = [result.run.pk for result in service.ensure_runs(slots) if result.created]
        for run_id in created:
            service.claim(run_id, "worker-1")
            service.complete(run_id)
        return len(created)

    with racing_threads(6) as ticks:
        assert sum(sum(ticks.race([tick] * 6)) for _ in range(3)) == 50

    assert OperationRun.objects.count() == 50


# --- workers --------------------------------------------------------------------------------------


def test_exactly_one_of_eight_workers_claims_a_run(tenant: Tenant) -> None:
    service = OperationRunService()

    with racing_threads(8) as workers:
        for schedule in range(25):
            run = create_queued_run(tenant, schedule)
            claims = [functools.partial(service.claim, run.pk, f"worker-{at}") for at in range(8)]

            claimed = [result for result in workers.race(claims) if result]

            assert len(claimed) == 1
            assert OperationRun.objects.get(pk=run.pk).worker == claimed[0].worker
            assert event_kinds(run) == ["created", "started"]


def test_eight_writers_lose_no_increment(tenant: Tenant) -> None:
    service = OperationRunService()
    run = create_running_run(tenant)

    def write() -> None:
        for _ in range(1_000):
            service.increment_summary_counts(run.pk, processed=1, succeeded=1)

    with racing_threads(8) as writers:
        futures = [writers.submit(write) for _ in range(8)]
        for future in futures:
            future.result(timeout=300)

    run.refresh_from_db()
    assert run.summary_counts == {"processed": 8_000, "succeeded": 8_000}


def test_concurrent_reports_of_every_kind_are_all_stored(tenant: Tenant) -> None:
    service = OperationRunService()
    run = create_running_run(tenant)
    error = SafeError("unexpected_error", reference="0123456789ab")

    def report(writer: int) -> None:
        for at in range(20):
            key = f"{writer}/{at}"
            service.record_items(run.pk, [ItemResult(key, ItemOutcome.FAILED, error=error)])
            service.append_failures(run.pk, [Failure(error, item=key)])
            service.add_event(run.pk, Event("note", key))

    with racing_threads(4) as writers:
        writers.race([functools.partial(report, writer) for writer in range(4)])

    run.refresh_from_db()
    assert run.items.count() == 80
    assert [cause["count"] for cause in run.failure_summary] == [80]
    assert list(run.events.values_list("sequence", flat=True)) == list(range(1, 83))


def test_a_run_is_completed_exactly_once(tenant: Tenant) -> None:
    service = OperationRunService()

    with racing_threads(4) as workers:
        for schedule in range(25):
            run = create_running_run(tenant, schedule)
            complete = outcome_of(functools.partial(service.complete, run.pk))

            results = workers.race([complete] * 4)

            assert results.count("RunNoLongerActive") == 3
            assert event_kinds(run).count("ended") == 1


def test_a_run_can_end_while_a_request_joins_it(tenant: Tenant) -> None:
    """The joined event refers to the row that the worker locks, without a deadlock."""
    run = create_running_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def complete() -> OperationRun:
        pids.put(backend_pid())
        return OperationRunService().complete(run.pk)

    with racing_threads(1) as workers:
        with transaction.atomic():
            ensure(tenant)
            worker = workers.submit(complete)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        ended = worker.result(timeout=60)

    assert ended.outcome == RunOutcome.SUCCEEDED
    assert event_kinds(run) == ["created", "started", "joined", "ended"]


def test_a_report_is_counted_before_the_end_or_refused(tenant: Tenant) -> None:
    """A batch is counted completely or refused completely."""
    service = OperationRunService()

    with racing_threads(2) as workers:
        for schedule in range(25):
            run = create_running_run(tenant, schedule)
            count = functools.partial(service.increment_summary_counts, run.pk, succeeded=1)
            ending = functools.partial(service.complete, run.pk)

            reported, _ = workers.race([outcome_of(count), ending])

            run.refresh_from_db()
            is_counted = run.counts.succeeded == 1
            assert is_counted == (reported != "RunNoLongerActive")


# --- users ----------------------------------------------------------------------------------------


def test_a_cancellation_and_a_claim_agree_on_the_result(tenant: Tenant, operator: User) -> None:
    """The run is cancelled before it starts, or starts and receives a cancel request."""
    service = OperationRunService()
    endings = set()

    with racing_threads(2) as pair:
        for schedule in range(40):
            run = create_queued_run(tenant, schedule)
            cancel = functools.partial(service.request_cancel, run, by=operator)
            claim = functools.partial(service.claim, run.pk, "worker-1")

            _, claimed = pair.race([cancel, claim])

            run.refresh_from_db()
            endings.add(run.status)
            assert run.cancel_requested_at is not None
            if claimed:
                assert run.status == RunStatus.RUNNING
                assert event_kinds(run) == ["created", "started", "cancel_requested"]
            else:
                assert run.outcome == RunOutcome.CANCELLED
                assert event_kinds(run) == ["created", "cancelled"]

    assert endings


def test_a_cancellation_and_the_end_of_a_run_agree(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    with racing_threads(2) as pair:
        for schedule in range(25):
            run = create_running_run(tenant, schedule)
            cancel = outcome_of(functools.partial(service.request_cancel, run, by=operator))
            complete = functools.partial(service.complete, run.pk)

            cancelled, ended = pair.race([cancel, complete])

            assert ended.outcome == RunOutcome.SUCCEEDED
            assert (cancelled == "RunNoLongerActive") == (
                "cancel_requested" not in event_kinds(run)
            )


def test_concurrent_cancel_requests_are_recorded_once(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    with racing_threads(4) as users:
        for schedule in range(20):
            run = create_queued_run(tenant, schedule)
            cancel = outcome_of(functools.partial(service.request_cancel, run, by=operator))

            users.race([cancel] * 4)

            assert event_kinds(run) == ["created", "cancelled"]


def test_concurrent_retries_lead_to_the_same_run(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    def retry(run: OperationRun) -> tuple[int, bool]:
        request = service.retry(run, by=operator)
        return request.run.pk, request.created

    with racing_threads(4) as users:
        for schedule in range(20):
            ended = create_ended_run(tenant, schedule, total=1, processed=1, failed=1)

            results = users.race([functools.partial(retry, ended)] * 4)

            assert len({run_id for run_id, _ in results}) == 1
            assert sum(created for _, created in results) == 1
            assert ended.retries.count() == 1


# --- the relay ------------------------------------------------------------------------------------


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET next_publish_at = now() - interval '1 second'")


def test_concurrent_relays_never_publish_the_same_run(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()
    service.ensure_runs([build_request(tenant, schedule) for schedule in range(60)])
    make_due()

    with racing_threads(4) as relays:
        sent = relays.race([functools.partial(relay.relay_once, 20)] * 4)

    assert sum(sent) == 60
    assert broker.waiting() == 60
    assert set(OperationRun.objects.values_list("publish_attempts", flat=True)) == {1}


def test_a_relay_skips_a_run_that_is_being_claimed(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()
    claimed, waiting = create_queued_run(tenant, 1), create_queued_run(tenant, 2)
    make_due()

    with racing_threads(1) as relays, transaction.atomic():
        service.claim(claimed.pk, "worker-1")
        sent = relays.submit(relay.relay_once).result(timeout=60)

    waiting.refresh_from_db()
    assert sent == 1
    assert waiting.publish_attempts == 1
    assert event_kinds(claimed) == ["created", "started"]


def test_a_relay_and_a_claim_do_not_overwrite_each_other(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()

    with racing_threads(2) as pair:
        for schedule in range(25):
            run = create_queued_run(tenant, schedule)
            make_due()
            claim = functools.partial(service.claim, run.pk, "worker-1")

            claimed, _ = pair.race([claim, relay.relay_once])

            run.refresh_from_db()
            assert claimed
            assert run.status == RunStatus.RUNNING
            assert run.next_publish_at is None
            service.complete(run.pk)


def test_the_threads_of_these_tests_run_concurrently() -> None:
    """Control: the threads meet at a barrier."""
    indexes: list[int] = []
    barrier = threading.Barrier(4, timeout=60)

    with racing_threads(4) as racers:
        racers.race([lambda: indexes.append(barrier.wait())] * 4)

    assert sorted(indexes) == [0, 1, 2, 3]


def test_concurrent_reconcilers_end_and_retry_a_lost_run_once(
    tenant: Tenant,
) -> None:
    long_ago = timezone.now() - dt.timedelta(minutes=5)
    runs = [
        OperationRunFactory(tenant=tenant, running=True, heartbeat_at=long_ago) for _ in range(20)
    ]

    with racing_threads(6) as reconcilers:
        results = reconcilers.race([reconcile] * 6)

    assert sum(count["worker_lost"] for count in results) == len(runs)
    assert OperationRun.objects.filter(retry_of__in=runs).count() == len(runs)


# --- the reconciler -------------------------------------------------------------------------------


def test_a_run_that_is_claimed_at_its_deadline_is_not_ended_as_never_started(
    tenant: Tenant, change_catalog: Callable[..., object]
) -> None:
    change_catalog(start_deadline=dt.timedelta(0))
    run = create_queued_run(tenant)

    with racing_threads(1) as reconcilers:
        with transaction.atomic():
            assert OperationRunService().claim(run.pk, "worker-1")
            while_locked = reconcilers.submit(reconcile).result(timeout=60)
        afterwards = reconcilers.submit(reconcile).result(timeout=60)

    assert (while_locked, afterwards) == ({}, {})
    assert event_kinds(run) == ["created", "started"]


def test_a_claim_that_waits_for_the_reconciler_claims_nothing(
    tenant: Tenant, change_catalog: Callable[..., object]
) -> None:
    change_catalog(start_deadline=dt.timedelta(0))
    run = create_queued_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def claim() -> OperationRun | None:
        pids.put(backend_pid())
        return OperationRunService().claim(run.pk, "worker-1")

    with racing_threads(1) as workers:
        with transaction.atomic():
            assert reconcile() == {"never_started": 1}
            worker = workers.submit(claim)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        assert worker.result(timeout=60) is None

    assert event_kinds(run) == ["created", "ended"]


def test_a_reconciler_skips_a_run_that_is_being_cancelled(
    tenant: Tenant, operator: User, settings: Settings
) -> None:
    settings.RUN_CANCEL_SECONDS = 0
    run = create_running_run(tenant)

    with racing_threads(1) as reconcilers:
        with transaction.atomic():
            OperationRunService().request_cancel(run, by=operator)
            while_locked = reconcilers.submit(reconcile).result(timeout=60)
        afterwards = reconcilers.submit(reconcile).result(timeout=60)

    assert (while_locked, afterwards) == ({}, {"cancel_timeout": 1})
    assert event_kinds(run) == ["created", "started", "cancel_requested", "ended"]


def test_a_cancel_request_that_waits_for_the_reconciler_reports_that_the_run_has_ended(
    tenant: Tenant, operator: User, settings: Settings
) -> None:
    settings.RUN_LEASE_SECONDS = 0
    run = create_running_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def cancel() -> Any:
        pids.put(backend_pid())
        return outcome_of(lambda: OperationRunService().request_cancel(run, by=operator))()

    with racing_threads(1) as users:
        with transaction.atomic():
            assert reconcile()["worker_lost"] == 1
            user = users.submit(cancel)
            wait_until_blocked(pids.get(timeout=60), by=backend_pid())
        assert user.result(timeout=60) == "RunNoLongerActive"

    assert event_kinds(run) == ["created", "started", "ended"]
