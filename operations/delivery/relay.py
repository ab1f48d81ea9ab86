"""The relay: publishes the message of a queued run again until a worker claims the run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from operations.catalog import OperationCatalog, Queue
from operations.delivery.publisher import (
    REFUSAL_ERRORS,
    Wakeup,
    record_refusal,
    send_all,
)
from operations.delivery.refusals import describe_refusal
from operations.events import Event, append_events
from operations.failpoints import failpoint
from operations.models import OperationRun
from operations.traces import describe_run
from telemetry import tracing
from telemetry.spans import Attributes

#: Runs that are published in one batch.
BATCH = 500
#: The part of the time between two ticks that a relay may take, and the most seconds.
SHARE_OF_TICK = 1 / 3
MAX_SECONDS = 30
#: The longest wait between two messages of a run, as a multiple of the first wait.
MAX_BACKOFF = 8

# `id IN (…)` could evaluate the subquery again for each row, and so exceed the limit. `IS TRUE`
# keeps PostgreSQL from reading the index of types, which contains ended runs.
_RESCHEDULE_DUE = """
UPDATE operation_runs SET
    publish_attempts = publish_attempts + 1,
    next_publish_at = clock_timestamp()
        + make_interval(secs => LEAST(%(after)s * 2 ^ LEAST(publish_attempts, 16), %(most)s))
        * (0.9 + 0.2 * random())
WHERE id = ANY(ARRAY(
    SELECT id FROM operation_runs
    WHERE status = 'queued' AND (type = ANY(%(types)s)) IS TRUE
        AND (next_publish_at <= clock_timestamp()
        OR %(lost)s
           AND COALESCE(published_at, created_at)
               <= clock_timestamp() - make_interval(secs => %(after)s))
    ORDER BY next_publish_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED))
RETURNING id, type
"""


def relay_all() -> int:
    """Publish again the queued runs whose messages are lost; return their number.

    It stops after a part of the time between two ticks, so that it does not delay the others.
    """
    ends_at = time.monotonic() + min(settings.TICK_SECONDS * SHARE_OF_TICK, MAX_SECONDS)
    published = batch = relay_once(BATCH)
    while batch == BATCH and time.monotonic() < ends_at:
        batch = relay_once(BATCH)
        published += batch
    return published


def relay_once(limit: int = BATCH) -> int:
    """Publish again up to `limit` queued runs whose messages are lost; return their number.

    A queue with fewer messages than queued runs has lost the difference, or a worker has just taken
    it. The relay adds at most the difference, so that it never fills the broker. Any number of
    relays may run at once. The time of each run's next attempt is moved, by more every time, before
    anything is sent, so that no row stays locked while the broker answers.
    """
    waiting = _count_waiting()
    try:
        messages = _count_messages(waiting)
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        due = [wakeup for queue in waiting for wakeup in _reschedule_due(queue, limit, lost=False)]
        record_refusal([run_id for run_id, _ in due], describe_refusal(error))
        return 0
    wakeups: list[Wakeup] = []
    for queue, runs in waiting.items():
        missing = min(runs, settings.BROKER_MAX_MESSAGES[queue]) - messages[queue]
        if missing > 0:
            wakeups += _reschedule_due(queue, min(missing, limit - len(wakeups)), lost=True)
    failpoint("relay.before_publish")
    if not wakeups:
        return 0
    run_ids = [run_id for run_id, _ in wakeups]
    try:
        with tracing.spans("publish again", lambda: _traces_of(run_ids)):
            send_all(wakeups)
    except REFUSAL_ERRORS as error:
        record_refusal(run_ids, describe_refusal(error))
        return 0
    _record_published(run_ids)
    return len(wakeups)


def _traces_of(run_ids: Sequence[int]) -> Iterator[tuple[str, Attributes]]:
    runs = OperationRun.objects.filter(pk__in=run_ids).exclude(trace_parent="").defer("context")
    return ((run.trace_parent, describe_run(run)) for run in runs)


_COUNT_WAITING = "SELECT type, count(*) FROM operation_runs WHERE status = 'queued' GROUP BY type"


def _count_waiting() -> Counter[Queue]:
    """Count the queued runs of each queue."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_WAITING)
        rows = cursor.fetchall()
    waiting: Counter[Queue] = Counter()
    for run_type, runs in rows:
        if entry := OperationCatalog.find(run_type):
            waiting[entry.queue] += runs
    return waiting


def _count_messages(queues: Iterable[Queue]) -> dict[Queue, int]:
    """Count the messages in queues.

    Raises:
        Exception: the broker did not answer; the type depends on the transport.
    """
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=0, timeout=1)
        channel: Any = broker.default_channel
        return {queue: channel.queue_declare(queue=queue.value).message_count for queue in queues}


def _reschedule_due(queue: Queue, limit: int, *, lost: bool) -> list[Wakeup]:
    """Move the next attempt of the runs of a queue that are due, and return them.

    With `lost`, a run is due when its last message is old enough, whenever its next attempt is.
    """
    entries = OperationCatalog.all().items()
    values: dict[str, Any] = {
        "after": settings.RUN_RELAY_AFTER_SECONDS,
        "most": settings.RUN_RELAY_AFTER_SECONDS * MAX_BACKOFF,
        "types": [run_type.value for run_type, entry in entries if entry.queue == queue],
        "lost": lost,
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RESCHEDULE_DUE, values)
        wakeups: list[Wakeup] = cursor.fetchall()
    return wakeups


# Locked in the order of their ids, as by every statement that changes several runs.
_PUBLISHED_AGAIN = """
WITH before AS (
    SELECT id, published_at FROM operation_runs WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)
UPDATE operation_runs run SET published_at = clock_timestamp()
FROM before WHERE run.id = before.id RETURNING run.id, before.published_at
"""


@transaction.atomic
def _record_published(run_ids: Sequence[int]) -> None:
    """Record on the timelines of runs that their messages were sent again."""
    with connection.cursor() as cursor:
        cursor.execute(_PUBLISHED_AGAIN, [list(run_ids)])
        before = cursor.fetchall()
    message = "No worker had claimed the run. Its message was sent again."
    # The row keeps the time of the last message only.
    append_events(
        (run_id, Event("published_again", message, data={"before": at.isoformat()} if at else {}))
        for run_id, at in before
    )
