"""The relay publishes the messages of queued runs again until a worker claims them."""

from __future__ import annotations

import datetime as dt
import time

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from config.broker import MESSAGE_LIFETIME_SECONDS
from operations.delivery import publisher, relay
from operations.models import OperationRun
from operations.presentation.queue_position import describe_queue_position, load_queue_position
from operations.presentation.stages import load_timeline
from operations.services import OperationRunService
from operations.states import RunStatus
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories import OperationRunFactory
from tests.support.factories.operations import (
    build_request,
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)


def make_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET next_publish_at = clock_timestamp() WHERE status = 'queued'"
        )


def seconds_until_next(run: OperationRun) -> float:
    run.refresh_from_db()
    assert run.next_publish_at
    return (run.next_publish_at - timezone.now()).total_seconds()


def test_an_unclaimed_run_is_published_again(tenant: Tenant, broker: Broker) -> None:
    run = create_queued_run(tenant)
    make_due()

    assert relay.relay_once() == 1

    run.refresh_from_db()
    assert broker.waiting("backup") == 1
    assert run.publish_attempts == 1
    assert run.published_at is not None
    assert event_kinds(run) == ["created", "published_again"]


def test_a_message_that_follows_keeps_the_time_of_the_one_before(
    tenant: Tenant, broker: Broker
) -> None:
    run = create_queued_run(tenant)
    make_due()
    relay.relay_once()
    run.refresh_from_db()
    assert run.published_at
    broker.execute("FLUSHALL")
    make_due()

    assert relay.relay_once() == 1

    first, second = run.events.filter(kind="published_again").order_by("sequence")
    assert (first.data, second.data) == ({}, {"before": run.published_at.isoformat()})
    timeline, _ = load_timeline(OperationRun.objects.get(pk=run.pk))
    assert timeline[1].at == run.published_at


def test_a_run_is_not_published_again_before_its_time(tenant: Tenant, broker: Broker) -> None:
    create_queued_run(tenant)

    assert relay.relay_once() == 0
    assert broker.waiting() == 0


def test_the_relay_waits_for_the_first_message_of_a_new_run(tenant: Tenant) -> None:
    wait = seconds_until_next(create_queued_run(tenant))

    assert 0 < settings.RUN_RELAY_AFTER_SECONDS - wait < 20


@pytest.mark.parametrize("start", [create_running_run, create_ended_run])
def test_a_claimed_or_ended_run_is_not_published(
    tenant: Tenant, broker: Broker, start: object
) -> None:
    start(tenant)  # type: ignore[operator]
    make_due()

    assert relay.relay_once() == 0
    assert broker.waiting() == 0


def test_an_empty_queue_is_filled_immediately(tenant: Tenant, broker: Broker) -> None:
    """An empty queue has lost its messages, so the relay does not wait for the next attempt."""
    run = create_queued_run(tenant)
    relay.relay_once()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET publish_attempts = 9, published_at = now() - interval"
            " '1 minute', next_publish_at = now() + interval '10 minutes' WHERE id = %s",
            [run.pk],
        )

    first, second = relay.relay_once(), relay.relay_once()

    assert (first, second) == (1, 0)
    assert broker.waiting() == 1


def age_messages() -> None:
    """Make the last message of every run older than the first wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = now() - interval '1 minute',"
            " next_publish_at = now() - interval '1 minute'"
        )


def test_a_queue_with_a_message_for_every_run_gets_no_copy(tenant: Tenant, broker: Broker) -> None:
    run = create_queued_run(tenant)
    publisher.send_all([(run.pk, run.type)])
    age_messages()

    assert relay.relay_once() == 0
    assert broker.waiting() == 1


def test_a_night_of_a_thousand_queued_runs_does_not_fill_the_broker(
    tenant: Tenant, broker: Broker
) -> None:
    """A copy for each run at every attempt would add megabytes an hour."""
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(1_000)])
    publisher.send_all((run.pk, run.type) for run in OperationRun.objects.all())
    memory = broker.execute("MEMORY", "USAGE", "backup", "SAMPLES", "0")
    for _ in range(20):
        age_messages()
        relay.relay_once()

    assert broker.waiting() == 1_000
    assert broker.execute("MEMORY", "USAGE", "backup", "SAMPLES", "0") == memory < 2_000_000

    broker.execute("LTRIM", "backup", "300", "-1")
    sent = [relay.relay_once() for _ in range(2)]

    assert sent == [300, 0]
    assert broker.waiting() == 1_000


@pytest.mark.parametrize("size", [1, 200])
def test_lost_messages_are_published_in_a_bounded_number_of_statements_and_round_trips(
    tenant: Tenant, broker: Broker, size: int
) -> None:
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(size)])
    make_due()
    publisher.send_all([])
    reads = broker.execute("INFO", "stats")["total_reads_processed"]

    with CaptureQueriesContext(connection) as queries:
        assert relay.relay_once() == size

    # Count, reschedule with its savepoint, record with its savepoint, events.
    assert len(queries) <= 10
    assert broker.execute("INFO", "stats")["total_reads_processed"] - reads < 100
    assert broker.waiting() == size
    assert broker.execute("TTL", "backup") > 0
    runs = OperationRun.objects.exclude(published_at=None)
    assert runs.filter(events__kind="published_again").distinct().count() == size


def test_one_tick_publishes_as_many_batches_as_there_are(
    tenant: Tenant, broker: Broker, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.TICK_SECONDS = 600
    monkeypatch.setattr(relay, "BATCH", 3)
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(10)])
    make_due()

    assert relay.relay_all() == 10
    assert broker.waiting() == 10


def test_a_tick_leaves_the_rest_to_the_next_one_in_time(
    tenant: Tenant, broker: Broker, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.TICK_SECONDS = 0
    monkeypatch.setattr(relay, "BATCH", 3)
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(10)])
    make_due()

    assert relay.relay_all() == 3


def test_a_broker_that_fills_up_within_a_batch_leaves_the_runs_to_the_next_attempt(
    tenant: Tenant, broker: Broker
) -> None:
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(300)])
    make_due()
    publisher.send_all([])  # the connection is open, so that only the batch is refused
    used = broker.execute("INFO", "memory")["used_memory"]
    broker.configure("maxmemory", str(used + 200_000))

    assert relay.relay_once() == 0

    run = OperationRun.objects.latest("pk")
    assert event_kinds(run) == ["created", "publish_refused"]
    assert "its memory is full" in run.events.latest("sequence").message
    assert broker.waiting() < 300
    broker.configure("maxmemory", "0")
    age_messages()
    relay.relay_once()
    assert broker.waiting() == 300


def test_a_broker_that_stays_full_adds_one_event_to_a_run(tenant: Tenant, broker: Broker) -> None:
    run = create_queued_run(tenant)
    broker.fill()
    for _ in range(5):
        make_due()
        relay.relay_once()

    assert event_kinds(run) == ["created", "publish_refused"]


def test_beat_does_not_fill_the_broker_while_no_worker_consumes(broker: Broker) -> None:
    for _ in range(150):
        current_app.send_task("operations.tasks.relay_queued_runs", queue="ticks")

    assert broker.waiting("ticks") == settings.BROKER_MAX_MESSAGES["ticks"] == 100
    assert 0 < broker.execute("TTL", "ticks") <= MESSAGE_LIFETIME_SECONDS


def test_every_attempt_waits_longer_up_to_a_limit(tenant: Tenant, broker: Broker) -> None:
    run = create_queued_run(tenant)
    waits = []

    for _ in range(8):
        make_due()
        before = timezone.now()
        relay.relay_once()
        least = seconds_until_next(run)
        assert run.next_publish_at
        waits.append((least, (run.next_publish_at - before).total_seconds()))
        broker.execute("DEL", "backup")

    first = settings.RUN_RELAY_AFTER_SECONDS
    expected = [min(first * 2**attempt, first * relay.MAX_BACKOFF) for attempt in range(8)]
    for (least, most), due in zip(waits, expected, strict=True):
        assert most > 0.85 * due, waits
        assert least < 1.15 * due, waits


def test_a_run_is_still_published_after_very_many_attempts(tenant: Tenant, broker: Broker) -> None:
    OperationRunFactory(tenant=tenant, publish_attempts=10_000)
    make_due()

    assert relay.relay_once() == 1


def test_the_longest_waiting_runs_are_published_first(tenant: Tenant, broker: Broker) -> None:
    now = timezone.now()
    runs = [
        OperationRunFactory(tenant=tenant, next_publish_at=now - dt.timedelta(minutes=age))
        for age in (1, 3, 2)
    ]

    relay.relay_once(limit=2)

    sent = [run.pk for run in OperationRun.objects.filter(publish_attempts=1)]
    assert sorted(sent) == sorted([runs[1].pk, runs[2].pk])


def test_a_run_of_an_unknown_type_does_not_block_the_others(tenant: Tenant, broker: Broker) -> None:
    OperationRunFactory(tenant=tenant, type="teleport.execute")
    known = create_queued_run(tenant)
    make_due()

    assert relay.relay_once() == 1
    assert event_kinds(known) == ["created", "published_again"]


def test_an_unreachable_broker_delays_the_next_attempt(tenant: Tenant, no_broker: None) -> None:
    run = create_queued_run(tenant)
    make_due()

    assert relay.relay_once() == 0

    assert seconds_until_next(run) > 20
    assert run.status == RunStatus.QUEUED
    assert run.published_at is None
    assert event_kinds(run) == ["created", "publish_refused"]


def test_the_queue_position_reports_a_broker_that_has_stopped(
    tenant: Tenant, broker: Broker
) -> None:
    run = create_queued_run(tenant)
    make_due()
    relay.relay_once()
    broker.stop()
    make_due()

    relay.relay_once()

    run.refresh_from_db()
    assert "refused further messages: it cannot be reached" in describe_queue_position(
        load_queue_position(run)
    )
    broker.start()
    make_due()
    relay.relay_once()
    run.refresh_from_db()
    assert "No worker has started it yet" in describe_queue_position(load_queue_position(run))


def test_no_message_is_lost_while_the_broker_is_down(tenant: Tenant, broker: Broker) -> None:
    OperationRunService().ensure_runs([build_request(tenant, schedule) for schedule in range(3)])
    broker.stop()
    make_due()
    while_down = relay.relay_once()
    broker.start()
    make_due()

    assert while_down == 0
    assert relay.relay_once() == 3
    assert broker.waiting() == 3


def test_a_full_broker_counts_as_refusing(tenant: Tenant, broker: Broker) -> None:
    run = create_queued_run(tenant)
    make_due()
    broker.fill()

    assert relay.relay_once() == 0
    assert event_kinds(run) == ["created", "publish_refused"]


def test_a_frozen_broker_delays_the_relay_once_and_not_for_every_run(
    tenant: Tenant, broker: Broker
) -> None:
    """The delay is the timeout of one message, however many runs wait."""
    OperationRunService().ensure_runs([build_request(tenant, schedule) for schedule in range(50)])
    make_due()
    broker.freeze()
    started = time.monotonic()

    assert relay.relay_once() == 0

    assert time.monotonic() - started < 40
    assert all(
        event_kinds(run) == ["created", "publish_refused"] for run in OperationRun.objects.all()
    )
