"""Races over real connections: whoever comes first, the ledger tells one truth."""

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
    a_queued_run,
    a_request,
    a_running_run,
    a_slot_request,
    an_ended_run,
    event_kinds,
)

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]

Job = Callable[[], Any]


def ensure(tenant: Tenant, schedule: int = 1) -> tuple[int, bool]:
    result = OperationRunService().ensure_run(a_request(tenant, schedule))
    return result.run.pk, result.created


def outcome_of(job: Job) -> Job:
    """`job`, giving the name of a refusal instead of raising it."""

    def attempt() -> Any:
        try:
            return job()
        except (RunNoLongerActive, NotRetryable) as refused:
            return type(refused).__name__

    return attempt


# --- dispatch -------------------------------------------------------------------------------------


def test_sixteen_dispatchers_create_exactly_one_run_each_round(tenant: Tenant) -> None:
    with racing_threads(16) as dispatchers:
        for schedule in range(100):
            placed = dispatchers.race([functools.partial(ensure, tenant, schedule)] * 16)

            assert len({run_id for run_id, _ in placed}) == 1
            assert sum(created for _, created in placed) == 1

    assert OperationRun.objects.count() == 100
    assert all(
        event_kinds(run) == ["created"] + ["joined"] * 15 for run in OperationRun.objects.all()[:10]
    )


def test_a_form_sent_many_times_while_its_run_ends_starts_one_run(tenant: Tenant) -> None:
    service = OperationRunService()

    def send_and_end(form: uuid.UUID) -> int:
        run = service.ensure_run(a_request(tenant, submission=form)).run
        if service.claim(run.pk, "worker"):
            service.complete(run.pk)
        return run.pk

    with racing_threads(8) as fingers:
        for _ in range(40):
            runs = fingers.race([functools.partial(send_and_end, uuid.uuid4())] * 8)

            assert len(set(runs)) == 1

    assert OperationRun.objects.count() == 40


def test_dispatchers_and_workers_together_never_see_two_active_runs(tenant: Tenant) -> None:
    """Runs end while others join them: a joiner whose winner has ended makes a new run."""
    service = OperationRunService()

    def dispatch_and_end() -> int:
        run_id, _ = ensure(tenant)
        if service.claim(run_id, "worker"):
            service.complete(run_id)
            return 1
        return 0

    with racing_threads(8) as everybody:
        ended = sum(sum(everybody.race([dispatch_and_end] * 8)) for _ in range(40))

    assert ended == OperationRun.objects.filter(status=RunStatus.COMPLETED).count()
    assert OperationRun.objects.active().count() <= 1


def test_the_waiter_creates_the_run_when_the_winner_rolls_back(tenant: Tenant) -> None:
    pids: queue.Queue[int] = queue.Queue()

    def wait_for_the_winner() -> tuple[int, bool]:
        pids.put(backend_pid())
        return ensure(tenant)

    with racing_threads(1) as others:
        with transaction.atomic():
            winner, created = ensure(tenant)
            waiter = others.submit(wait_for_the_winner)
            wait_until_blocked(pids.get(timeout=10), by=backend_pid())
            transaction.set_rollback(True)
        second, created_by_waiter = waiter.result(timeout=10)

    assert created
    assert created_by_waiter
    assert second != winner
    assert [run.pk for run in OperationRun.objects.all()] == [second]


def test_the_waiter_joins_the_run_when_the_winner_commits(tenant: Tenant) -> None:
    pids: queue.Queue[int] = queue.Queue()

    def wait_for_the_winner() -> tuple[int, bool]:
        pids.put(backend_pid())
        return ensure(tenant)

    with racing_threads(1) as others:
        with transaction.atomic():
            winner, _ = ensure(tenant)
            waiter = others.submit(wait_for_the_winner)
            wait_until_blocked(pids.get(timeout=10), by=backend_pid())

        assert waiter.result(timeout=10) == (winner, False)


def test_batches_in_opposite_order_never_deadlock(tenant: Tenant) -> None:
    service = OperationRunService()

    def a_batch(requests: list[Any]) -> set[int]:
        return {result.run.pk for result in service.ensure_runs(requests)}

    with racing_threads(2) as dispatchers:
        for at in range(50):
            requests = [a_request(tenant, at * 100 + schedule) for schedule in range(20)]
            forward, backward = dispatchers.race(
                [
                    functools.partial(a_batch, requests),
                    functools.partial(a_batch, requests[::-1]),
                ]
            )

            assert forward == backward

    assert OperationRun.objects.count() == 50 * 20


def test_batches_that_join_active_runs_in_opposite_order_never_deadlock(tenant: Tenant) -> None:
    service = OperationRunService()
    requests = [a_request(tenant, schedule) for schedule in range(20)]
    service.ensure_runs(requests)
    shuffled = [random.Random(seed).sample(requests, 20) for seed in range(4)]

    with racing_threads(4) as dispatchers:
        for _ in range(25):
            dispatchers.race([functools.partial(service.ensure_runs, mine) for mine in shuffled])

    run = OperationRun.objects.first()
    assert run
    assert event_kinds(run) == ["created"] + ["joined"] * 100
    assert list(run.events.values_list("sequence", flat=True)) == list(range(1, 102))


def test_a_slot_is_fired_once_by_any_number_of_ticks(tenant: Tenant) -> None:
    service = OperationRunService()
    slots = [a_slot_request(tenant, schedule) for schedule in range(50)]

    def tick() -> int:
        """Fire what is due and do it at once, so that only the slot itself stands in the way."""
        created = [result.run.pk for result in service.ensure_runs(slots) if result.created]
        for run_id in created:
            service.claim(run_id, "worker-1")
            service.complete(run_id)
        return len(created)

    with racing_threads(6) as ticks:
        assert sum(sum(ticks.race([tick] * 6)) for _ in range(3)) == 50

    assert OperationRun.objects.count() == 50


# --- workers --------------------------------------------------------------------------------------


def test_a_claim_raced_by_eight_workers_has_one_winner(tenant: Tenant) -> None:
    service = OperationRunService()

    with racing_threads(8) as workers:
        for schedule in range(25):
            run = a_queued_run(tenant, schedule)
            claims = [functools.partial(service.claim, run.pk, f"worker-{at}") for at in range(8)]

            won = [claimed for claimed in workers.race(claims) if claimed]

            assert len(won) == 1
            assert OperationRun.objects.get(pk=run.pk).worker == won[0].worker
            assert event_kinds(run) == ["created", "started"]


def test_eight_writers_lose_no_increment(tenant: Tenant) -> None:
    service = OperationRunService()
    run = a_running_run(tenant)

    def write() -> None:
        for _ in range(1_000):
            service.increment_summary_counts(run.pk, processed=1, succeeded=1)

    with racing_threads(8) as writers:
        futures = [writers.submit(write) for _ in range(8)]
        for future in futures:
            future.result(timeout=120)

    run.refresh_from_db()
    assert run.summary_counts == {"processed": 8_000, "succeeded": 8_000}


def test_concurrent_reports_of_every_kind_are_all_kept(tenant: Tenant) -> None:
    service = OperationRunService()
    run = a_running_run(tenant)
    error = SafeError("unexpected_error", reference="0123456789ab")

    def report(writer: int) -> None:
        for at in range(20):
            key = f"{writer}/{at}"
            service.record_items(run.pk, [ItemResult(key, ItemOutcome.FAILED, error=error)])
            service.append_failures(run.pk, [Failure(error, at="2026-03-08T07:00:00Z", item=key)])
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
            run = a_running_run(tenant, schedule)
            complete = outcome_of(functools.partial(service.complete, run.pk))

            results = workers.race([complete] * 4)

            assert results.count("RunNoLongerActive") == 3
            assert event_kinds(run).count("ended") == 1


def test_a_run_may_end_while_somebody_joins_it(tenant: Tenant) -> None:
    """The joiner's event refers to the row that the worker holds: neither waits for ever."""
    run = a_running_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def complete() -> OperationRun:
        pids.put(backend_pid())
        return OperationRunService().complete(run.pk)

    with racing_threads(1) as workers:
        with transaction.atomic():
            ensure(tenant)
            worker = workers.submit(complete)
            wait_until_blocked(pids.get(timeout=10), by=backend_pid())
        ended = worker.result(timeout=10)

    assert ended.outcome == RunOutcome.SUCCEEDED
    assert event_kinds(run) == ["created", "started", "joined", "ended"]


def test_a_report_and_the_end_of_the_run_do_not_mix(tenant: Tenant) -> None:
    """A batch is counted in the ended run, or refused: nothing in between."""
    service = OperationRunService()

    with racing_threads(2) as workers:
        for schedule in range(25):
            run = a_running_run(tenant, schedule)
            count = functools.partial(service.increment_summary_counts, run.pk, succeeded=1)
            ending = functools.partial(service.complete, run.pk)

            reported, _ = workers.race([outcome_of(count), ending])

            run.refresh_from_db()
            kept = run.counts.succeeded == 1
            assert kept == (reported != "RunNoLongerActive")


# --- people ---------------------------------------------------------------------------------------


def test_a_cancellation_and_a_claim_agree_on_what_happened(tenant: Tenant, operator: User) -> None:
    """Cancelled before it started, or started and then asked to stop: never both, never neither."""
    service = OperationRunService()
    endings = set()

    with racing_threads(2) as pair:
        for schedule in range(40):
            run = a_queued_run(tenant, schedule)
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
            run = a_running_run(tenant, schedule)
            cancel = outcome_of(functools.partial(service.request_cancel, run, by=operator))
            complete = functools.partial(service.complete, run.pk)

            cancelled, ended = pair.race([cancel, complete])

            assert ended.outcome == RunOutcome.SUCCEEDED
            assert (cancelled == "RunNoLongerActive") == (
                "cancel_requested" not in event_kinds(run)
            )


def test_two_people_who_cancel_are_told_of_as_one(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    with racing_threads(4) as people:
        for schedule in range(20):
            run = a_queued_run(tenant, schedule)
            cancel = outcome_of(functools.partial(service.request_cancel, run, by=operator))

            people.race([cancel] * 4)

            assert event_kinds(run) == ["created", "cancelled"]


def test_two_people_who_retry_get_the_same_run(tenant: Tenant, operator: User) -> None:
    service = OperationRunService()

    def retry(run: OperationRun) -> tuple[int, bool]:
        request = service.retry(run, by=operator)
        return request.run.pk, request.created

    with racing_threads(4) as people:
        for schedule in range(20):
            ended = an_ended_run(tenant, schedule, total=1, processed=1, failed=1)

            retried = people.race([functools.partial(retry, ended)] * 4)

            assert len({run_id for run_id, _ in retried}) == 1
            assert sum(created for _, created in retried) == 1
            assert ended.retries.count() == 1


# --- the relay ------------------------------------------------------------------------------------


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET next_publish_at = now() - interval '1 second'")


def test_two_relays_never_send_the_same_run(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()
    service.ensure_runs([a_request(tenant, schedule) for schedule in range(60)])
    make_due()

    with racing_threads(4) as relays:
        sent = relays.race([functools.partial(relay.relay_once, 20)] * 4)

    assert sum(sent) == 60
    assert broker.waiting() == 60
    assert set(OperationRun.objects.values_list("publish_attempts", flat=True)) == {1}


def test_a_relay_passes_over_a_run_that_is_being_claimed(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()
    claimed, waiting = a_queued_run(tenant, 1), a_queued_run(tenant, 2)
    make_due()

    with racing_threads(1) as relays, transaction.atomic():
        service.claim(claimed.pk, "worker-1")
        sent = relays.submit(relay.relay_once).result(timeout=10)

    waiting.refresh_from_db()
    assert sent == 1
    assert waiting.publish_attempts == 1
    assert event_kinds(claimed) == ["created", "started"]


def test_a_relay_and_a_worker_never_undo_each_other(tenant: Tenant, broker: Broker) -> None:
    service = OperationRunService()

    with racing_threads(2) as pair:
        for schedule in range(25):
            run = a_queued_run(tenant, schedule)
            make_due()
            claim = functools.partial(service.claim, run.pk, "worker-1")

            claimed, _ = pair.race([claim, relay.relay_once])

            run.refresh_from_db()
            assert claimed
            assert run.status == RunStatus.RUNNING
            assert run.next_publish_at is None
            service.complete(run.pk)


def test_the_barrier_is_real() -> None:
    """The negative control of this file: its threads are at work at the same time."""
    seen: list[int] = []
    together = threading.Barrier(4, timeout=5)

    with racing_threads(4) as racers:
        racers.race([lambda: seen.append(together.wait())] * 4)

    assert sorted(seen) == [0, 1, 2, 3]


def test_a_lost_run_is_ended_and_retried_once_however_many_reconcilers_there_are(
    tenant: Tenant,
) -> None:
    long_ago = timezone.now() - dt.timedelta(minutes=5)
    runs = [
        OperationRunFactory(tenant=tenant, running=True, heartbeat_at=long_ago) for _ in range(20)
    ]

    with racing_threads(6) as reconcilers:
        counted = reconcilers.race([reconcile] * 6)

    assert sum(count["worker_lost"] for count in counted) == len(runs)
    assert OperationRun.objects.filter(retry_of__in=runs).count() == len(runs)


# --- the reconciler -------------------------------------------------------------------------------


def test_a_run_that_is_claimed_at_its_deadline_is_not_ended_as_never_started(
    tenant: Tenant, change_catalog: Callable[..., object]
) -> None:
    change_catalog(start_deadline=dt.timedelta(0))
    run = a_queued_run(tenant)

    with racing_threads(1) as reconcilers:
        with transaction.atomic():
            assert OperationRunService().claim(run.pk, "worker-1")
            passed_over = reconcilers.submit(reconcile).result(timeout=10)
        ended = reconcilers.submit(reconcile).result(timeout=10)

    assert (passed_over, ended) == ({}, {})
    assert event_kinds(run) == ["created", "started"]


def test_a_claim_waits_for_the_reconciler_and_finds_nothing_to_claim(
    tenant: Tenant, change_catalog: Callable[..., object]
) -> None:
    change_catalog(start_deadline=dt.timedelta(0))
    run = a_queued_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def claim() -> OperationRun | None:
        pids.put(backend_pid())
        return OperationRunService().claim(run.pk, "worker-1")

    with racing_threads(1) as workers:
        with transaction.atomic():
            assert reconcile() == {"never_started": 1}
            worker = workers.submit(claim)
            wait_until_blocked(pids.get(timeout=10), by=backend_pid())
        assert worker.result(timeout=10) is None

    assert event_kinds(run) == ["created", "ended"]


def test_a_reconciler_passes_over_a_run_that_is_being_asked_to_stop(
    tenant: Tenant, operator: User, settings: Settings
) -> None:
    settings.RUN_CANCEL_SECONDS = 0
    run = a_running_run(tenant)

    with racing_threads(1) as reconcilers:
        with transaction.atomic():
            OperationRunService().request_cancel(run, by=operator)
            passed_over = reconcilers.submit(reconcile).result(timeout=10)
        ended = reconcilers.submit(reconcile).result(timeout=10)

    assert (passed_over, ended) == ({}, {"cancel_timeout": 1})
    assert event_kinds(run) == ["created", "started", "cancel_requested", "ended"]


def test_who_asks_a_run_to_stop_while_it_is_ended_is_told_that_it_has(
    tenant: Tenant, operator: User, settings: Settings
) -> None:
    settings.RUN_LEASE_SECONDS = 0
    run = a_running_run(tenant)
    pids: queue.Queue[int] = queue.Queue()

    def cancel() -> Any:
        pids.put(backend_pid())
        return outcome_of(lambda: OperationRunService().request_cancel(run, by=operator))()

    with racing_threads(1) as people:
        with transaction.atomic():
            assert reconcile()["worker_lost"] == 1
            person = people.submit(cancel)
            wait_until_blocked(pids.get(timeout=10), by=backend_pid())
        assert person.result(timeout=10) == "RunNoLongerActive"

    assert event_kinds(run) == ["created", "started", "ended"]
