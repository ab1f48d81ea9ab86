"""The relay: sends the message of a queued run again until a worker claims the run."""

from __future__ import annotations

import logging
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from operations.catalog import OperationCatalog, Queue
from operations.delivery.publisher import (
    REFUSALS,
    Wakeup,
    describe_refusal,
    record_refusal,
    send_all,
)
from operations.events import Event, append_events
from operations.failpoints import failpoint

log = logging.getLogger(__name__)

#: The longest wait between two messages for one run, in first waits: four minutes by default.
MAX_BACKOFF = 8


_TAKE_DUE = """
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
    """Send again the queued runs that nobody has claimed in time; returns how many were sent.

    Any number of relays may run at once. Each run's next attempt is moved ahead, further every
    time, before anything is sent, so that no lock is held while the broker answers. Behind a queue
    that is empty nobody waits so long: messages that are not there any more are lost.
    """
    values = {
        "after": settings.RUN_RELAY_AFTER_SECONDS,
        "most": settings.RUN_RELAY_AFTER_SECONDS * MAX_BACKOFF,
        "lost": _types_of_empty_queues(),
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE_DUE, values)
        due: list[Wakeup] = cursor.fetchall()
    failpoint("relay.before_publish")
    known = [(run_id, run_type) for run_id, run_type in due if OperationCatalog.find(run_type)]
    for sent, wakeup in enumerate(known):
        if refusal := _resend(wakeup):
            # Each of the others would wait for the same broker as long as this one did.
            record_refusal([run_id for run_id, _ in known[sent:]], refusal)
            return sent
    return len(known)


def _types_of_empty_queues() -> list[str]:
    """The types whose queue holds no message; none where the broker cannot be asked."""
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=0, timeout=1)
            channel: Any = broker.default_channel
            waiting = {
                queue: channel.queue_declare(queue=queue.value).message_count for queue in Queue
            }
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own
        log.warning("the broker cannot be asked for its queues: %s", type(error).__name__)
        return []
    return [
        run_type.value
        for run_type, entry in OperationCatalog.all().items()
        if not waiting[entry.queue]
    ]


def _resend(wakeup: Wakeup) -> str:
    """Send once more; why the broker has not taken it, "" if it has."""
    try:
        send_all([wakeup])
    except REFUSALS as error:
        return describe_refusal(error)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = clock_timestamp() WHERE id = %s",
            [wakeup[0]],
        )
    resent = Event("published_again", "No worker had taken the run; its message was sent again.")
    append_events([(wakeup[0], resent)])
    return ""
