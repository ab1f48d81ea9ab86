"""The way of a run to its worker: a wake-up message that carries the run's id.

The row is the outbox. A message that gets lost, arrives twice or never leaves costs nothing: the
relay sends again until the run is claimed, and a run can be claimed once. So publishing may fail,
and nobody waits for it long.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedLongEnough
from queue import SimpleQueue

from celery import current_app
from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from operations.catalog import OperationCatalog
from operations.events import Event, append_events
from operations.models import EventLevel

log = logging.getLogger(__name__)

TASK = "operations.tasks.execute_operation_run"
GRACE_SECONDS = 60
MAX_WAITING = 100
#: A batch is given more time than a request: a healthy broker takes a message in 1 to 2 ms.
SECONDS_PER_MESSAGE = 0.005
MAX_BACKOFF_SECONDS = 600

Wakeup = tuple[int, str]

#: Not reachable, not answering, or full: the relay tries again.
REFUSALS = (OperationalError, OSError)


class Publisher:
    """Sends wake-ups in a thread of its own, so that a hanging broker holds nobody up.

    The thread is a daemon: what it has not sent when the process ends, the relay sends.
    """

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[Sequence[Wakeup], Future[None]]] = SimpleQueue()
        self._thread = threading.Thread(target=self._send_for_ever, name="publisher", daemon=True)
        self._starting = threading.Lock()

    def publish(self, wakeups: Sequence[Wakeup], *, wait: float) -> bool:
        """Send (run id, type) pairs; whether the broker took them all within `wait` seconds."""
        self._ensure_started()
        if self._waiting.qsize() >= MAX_WAITING:
            return False
        future: Future[None] = Future()
        self._waiting.put((wakeups, future))
        return _succeeded(future, wait)

    def _ensure_started(self) -> None:
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()

    def _send_for_ever(self) -> None:
        while True:
            wakeups, future = self._waiting.get()
            try:
                send_all(wakeups)
            except BaseException as error:  # noqa: BLE001 - it is the waiting caller's
                future.set_exception(error)
            else:
                future.set_result(None)


def _succeeded(future: Future[None], wait: float) -> bool:
    try:
        future.result(timeout=wait)
    except WaitedLongEnough:
        return False
    except REFUSALS as error:
        log.warning("the broker refused a message: %s", type(error).__name__)
        return False
    return True


def send_all(wakeups: Iterable[Wakeup]) -> None:
    """Send one message per run.

    Raises:
        kombu.exceptions.OperationalError: the broker did not take a message.
    """
    with current_app.producer_or_acquire() as producer:
        for run_id, run_type in wakeups:
            entry = OperationCatalog.get(run_type)
            limit = int(entry.time_limit.total_seconds())
            current_app.send_task(
                TASK,
                args=[run_id],
                queue=entry.queue.value,
                soft_time_limit=limit,
                time_limit=limit + GRACE_SECONDS,
                producer=producer,
                retry=False,
                ignore_result=True,
            )


@functools.cache
def warm_up() -> None:
    """Load what publishing needs, once in a process; that takes longer than anybody may wait."""
    current_app.finalize()
    with current_app.connection_for_write() as broker:
        broker.get_transport_cls()


_publisher = Publisher()


def _new_publisher() -> None:
    global _publisher  # noqa: PLW0603 - a thread does not survive a fork
    _publisher = Publisher()


os.register_at_fork(after_in_child=_new_publisher)


def publish(wakeups: Sequence[Wakeup]) -> bool:
    """Hand runs to the broker and note on each how that went; False: the relay will try again."""
    warm_up()
    wait = settings.PUBLISH_WAIT_SECONDS + len(wakeups) * SECONDS_PER_MESSAGE
    taken = _publisher.publish(wakeups, wait=wait)
    run_ids = [run_id for run_id, _ in wakeups]
    if taken:
        _mark_published(run_ids)
    else:
        _note_refused(run_ids)
    return taken


def _mark_published(run_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = clock_timestamp(), "
            "publish_attempts = publish_attempts + 1 WHERE id = ANY(%s)",
            [run_ids],
        )


def _note_refused(run_ids: list[int]) -> None:
    refused = Event(
        "publish_refused",
        "The broker has not taken the message. The run is safe and will be sent again.",
        EventLevel.WARNING,
    )
    append_events((run_id, refused) for run_id in run_ids)


_TAKE_DUE = """
UPDATE operation_runs SET
    publish_attempts = publish_attempts + 1,
    next_publish_at = clock_timestamp()
        + make_interval(secs => LEAST(%s * 2 ^ LEAST(publish_attempts, 16), %s))
        * (0.9 + 0.2 * random())
WHERE id IN (
    SELECT id FROM operation_runs
    WHERE status = 'queued' AND next_publish_at <= clock_timestamp()
    ORDER BY next_publish_at
    LIMIT %s
    FOR UPDATE SKIP LOCKED)
RETURNING id, type
"""


def relay_once(limit: int = 500) -> int:
    """Send again the queued runs that nobody has claimed in time; returns how many were sent.

    Any number of relays may run at once. Each run's next attempt is moved ahead, further every
    time, before anything is sent, so that no lock is held while the broker answers.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_TAKE_DUE, [settings.RUN_RELAY_AFTER_SECONDS, MAX_BACKOFF_SECONDS, limit])
        due: list[Wakeup] = cursor.fetchall()
    known = [(run_id, run_type) for run_id, run_type in due if OperationCatalog.find(run_type)]
    for sent, wakeup in enumerate(known):
        if not _resend(wakeup):
            # Each of the others would wait for the same broker as long as this one did.
            _note_refused([run_id for run_id, _ in known[sent:]])
            return sent
    return len(known)


def _resend(wakeup: Wakeup) -> bool:
    try:
        send_all([wakeup])
    except REFUSALS as error:
        log.warning("the broker refused a message: %s", type(error).__name__)
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = clock_timestamp() WHERE id = %s",
            [wakeup[0]],
        )
    resent = Event("published_again", "No worker had taken the run; its message was sent again.")
    append_events([(wakeup[0], resent)])
    return True
