"""Publishes the wake-up message of a run, which carries the run's id and nothing else.

The queued row is the outbox. A lost, duplicated or unsent message does no harm: the relay publishes
again until the run is claimed, and a run can be claimed only once. Publishing may therefore fail,
and callers wait for it only briefly.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeout
from queue import SimpleQueue
from typing import Any

from celery import current_app, uuid
from django.conf import settings
from django.db import connection
from kombu import Producer
from kombu.exceptions import (  # type: ignore[attr-defined]
    BatchPublishError,
    OperationalError,
)

from operations.catalog import OperationCatalog
from operations.delivery.refusals import NO_ANSWER, describe_refusal
from operations.events import Event, append_events
from operations.failpoints import failpoint
from operations.models import EventLevel
from tenancy.db import run_prepared

TASK = "operations.tasks.execute_operation_run"
GRACE_SECONDS = 60
MAX_PENDING = 100
#: Additional wait for each message of a batch; a healthy broker accepts one in 1 to 2 ms.
SECONDS_PER_MESSAGE = 0.005

Wakeup = tuple[int, str]

#: Errors of a broker that is unreachable, does not answer or is full; the relay tries again.
REFUSAL_ERRORS = (OperationalError, OSError)


class Publisher:
    """Sends wake-up messages in a separate thread, so that a hanging broker does not block callers.

    The thread is a daemon; the relay sends the messages that remain when the process ends.
    """

    def __init__(self) -> None:
        self._pending: SimpleQueue[tuple[Sequence[Wakeup], Future[None]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._send_forever, name="publisher", daemon=True)
        self._starting = threading.Lock()
        self._sending_since: float | None = None

    def publish(self, wakeups: Sequence[Wakeup], *, wait: float) -> str:
        """Send (run id, type) pairs, waiting at most `wait` seconds.

        If the broker has not answered an earlier message for that long, this does not wait at all.

        Returns:
            Why the broker did not accept all messages, or "" if it did.
        """
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        if self._pending.qsize() >= MAX_PENDING:
            return NO_ANSWER
        future: Future[None] = Future()
        self._pending.put((wakeups, future))
        sending_since = self._sending_since
        if sending_since is not None and time.monotonic() - sending_since > wait:
            wait = 0
        try:
            future.result(timeout=wait)
        except WaitTimeout:
            return NO_ANSWER
        except REFUSAL_ERRORS as error:
            return describe_refusal(error)
        return ""

    def _send_forever(self) -> None:
        while True:
            wakeups, future = self._pending.get()
            self._sending_since = time.monotonic()
            try:
                send_all(wakeups)
            except BaseException as error:  # noqa: BLE001 - raised in the waiting caller
                future.set_exception(error)
            else:
                future.set_result(None)
            self._sending_since = None


def send_all(wakeups: Iterable[Wakeup]) -> None:
    """Send one message per run, many of them in one round trip.

    Raises:
        kombu.exceptions.OperationalError: the broker did not accept all messages; it can have
            accepted some.
    """
    with current_app.producer_or_acquire() as producer:
        try:
            with producer.batch():
                for run_id, run_type in wakeups:
                    _send(producer, run_id, run_type)
        except BatchPublishError as error:
            # The cause says why the broker refused.
            raise OperationalError(str(error.__cause__)) from error.__cause__


def _send(producer: Producer, run_id: int, run_type: str) -> None:
    """Send a message as `send_task` does, which takes twice the time, because it creates a result."""
    entry = OperationCatalog.get(run_type)
    limit = int(entry.time_limit.total_seconds())
    amqp: Any = current_app.amqp
    message = amqp.create_task_message(
        uuid(),
        TASK,
        args=[run_id],
        soft_time_limit=limit,
        time_limit=limit + GRACE_SECONDS,
        ignore_result=True,
        argsrepr=f"[{run_id}]",
        kwargsrepr="{}",
    )
    broker: Any = producer.connection
    try:
        amqp.send_task_message(producer, TASK, message, queue=entry.queue.value, retry=False)
    except (*broker.recoverable_connection_errors, *broker.recoverable_channel_errors) as error:
        raise OperationalError(str(error)) from error


@functools.cache
def warm_up() -> None:
    """Load what publishing needs, once per process; this takes longer than a caller may wait."""
    current_app.finalize()
    with current_app.connection_for_write() as broker:
        broker.get_transport_cls()


_publisher = Publisher()


def _new_publisher() -> None:
    global _publisher  # noqa: PLW0603 - a thread does not survive a fork
    _publisher = Publisher()


os.register_at_fork(after_in_child=_new_publisher)


# Locked in the order of their ids, as by every statement that changes several runs.
_PUBLISHED = """
UPDATE operation_runs SET published_at = clock_timestamp(), publish_attempts = publish_attempts + 1
WHERE id = ANY(ARRAY(
    SELECT id FROM operation_runs WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE))
RETURNING id
"""


def publish(wakeups: Sequence[Wakeup]) -> bool:
    """Publish runs and record the result on each; return False if the relay has to try again."""
    failpoint("publish.before")
    warm_up()
    wait = settings.PUBLISH_WAIT_SECONDS + len(wakeups) * SECONDS_PER_MESSAGE
    refusal = _publisher.publish(wakeups, wait=wait)
    failpoint("publish.after")
    run_ids = [run_id for run_id, _ in wakeups]
    if refusal:
        record_refusal(run_ids, refusal)
    else:
        run_prepared(_PUBLISHED, [run_ids])
    return not refusal


_WITHOUT_THIS_REFUSAL = """
SELECT run.id FROM unnest(%s::bigint[]) AS run(id)
WHERE NOT EXISTS (
    SELECT FROM operation_run_events last
    WHERE last.run_id = run.id AND last.kind = 'publish_refused' AND last.data->>'why' = %s
        AND last.sequence = (
            SELECT max(sequence) FROM operation_run_events WHERE run_id = last.run_id))
"""


def record_refusal(run_ids: list[int], refusal: str) -> None:
    """Add an event with the text of a refusal to the timeline of each run, unless it is the last.

    A broker that stays full for a night would otherwise add thousands of events.
    """
    event = Event(
        "publish_refused",
        f"The broker did not accept the message: {refusal}. The run stays queued and is sent again.",
        EventLevel.WARNING,
        data={"why": refusal},
    )
    with connection.cursor() as cursor:
        cursor.execute(_WITHOUT_THIS_REFUSAL, [run_ids, refusal])
        append_events((run_id, event) for (run_id,) in cursor.fetchall())
