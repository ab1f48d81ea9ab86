"""The relay: publishes the message of a queued run again until a worker claims the run."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from operations.catalog import OperationCatalog, Queue
from operations.delivery.publisher import (
    REFUSAL_ERRORS,
    Wakeup,
    describe_refusal,
    record_refusal,
    send_all,
)
from operations.events import Event, append_events
from operations.failpoints import failpoint

log = logging.getLogger(__name__)

#: The longest wait between two messages of a run, as a multiple of the first wait.
MAX_BACKOFF = 8


_RESCHEDULE_DUE = """
UPDATE operation_runs SET
    publish_attempts = publish_attempts + 1,
    next_publish_at = clock_timestamp()
        + make_interval(secs => LEAST(%(after)s * 2 ^ LEAST(publish_attempts, 16), %(most)s))
        * (0.9 + 0.2 * random())
WHERE id IN (
    SELECT id FROM operation_runs
    WHERE status = 'queued' AND (next_publish_at <= clock_timestamp()
        OR type = ANY(%(lost)s)
           AND COALESCE(published_at, created_at)
               <= clock_timestamp() - make_interval(secs => %(after)s))
    ORDER BY next_publish_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED)
RETURNING id, type
"""


def relay_once(limit: int = 500) -> int:
    """Publish again the queued runs that no worker has claimed in time; return their number.

    Any number of relays may run at once. The time of each run's next attempt is moved, by more
    every time, before anything is sent, so that no row stays locked while the broker answers. If
    the queue is empty, the message is lost, and the run is published after the first wait.
    """
    values = {
        "after": settings.RUN_RELAY_AFTER_SECONDS,
        "most": settings.RUN_RELAY_AFTER_SECONDS * MAX_BACKOFF,
        "lost": _types_of_empty_queues(),
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_RESCHEDULE_DUE, values)
        due: list[Wakeup] = cursor.fetchall()
    failpoint("relay.before_publish")
    wakeups = [(run_id, run_type) for run_id, run_type in due if OperationCatalog.find(run_type)]
    for sent, wakeup in enumerate(wakeups):
        if refusal := _publish_again(wakeup):
            # Each of the others would wait for the same broker as long as this one did.
            record_refusal([run_id for run_id, _ in wakeups[sent:]], refusal)
            return sent
    return len(wakeups)


def _types_of_empty_queues() -> list[str]:
    """Return the types whose queue has no message, or none if the broker does not answer."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=0, timeout=1)
            channel: Any = broker.default_channel
            message_counts = {
                queue: channel.queue_declare(queue=queue.value).message_count for queue in Queue
            }
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        log.warning("the lengths of the queues cannot be read: %s", type(error).__name__)
        return []
    return [
        run_type.value
        for run_type, entry in OperationCatalog.all().items()
        if not message_counts[entry.queue]
    ]


def _publish_again(wakeup: Wakeup) -> str:
    """Publish a run again; return why the broker did not accept it, or "" if it did."""
    try:
        send_all([wakeup])
    except REFUSAL_ERRORS as error:
        return describe_refusal(error)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = clock_timestamp() WHERE id = %s",
            [wakeup[0]],
        )
    event = Event("published_again", "No worker had claimed the run. Its message was sent again.")
    append_events([(wakeup[0], event)])
    return ""
