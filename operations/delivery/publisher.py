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
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitedLongEnough
from queue import SimpleQueue

from celery import current_app
from django.conf import settings
from django.db import connection
from kombu.exceptions import OperationalError

from operations.catalog import OperationCatalog
from operations.events import Event, append_events
from operations.failpoints import failpoint
from operations.models import EventLevel

log = logging.getLogger(__name__)

TASK = "operations.tasks.execute_operation_run"
GRACE_SECONDS = 60
MAX_WAITING = 100
#: A batch is given more time than a request: a healthy broker takes a message in 1 to 2 ms.
SECONDS_PER_MESSAGE = 0.005

Wakeup = tuple[int, str]

SILENT = "it did not answer in time"
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
        self._sending_since: float | None = None

    def publish(self, wakeups: Sequence[Wakeup], *, wait: float) -> str:
        """Send (run id, type) pairs; why the broker has not taken them all, "" if it has.

        Nobody waits longer than `wait` seconds, and nobody at all behind a message with which the
        broker has been silent for that long already.
        """
        self._ensure_started()
        if self._waiting.qsize() >= MAX_WAITING:
            return SILENT
        future: Future[None] = Future()
        self._waiting.put((wakeups, future))
        return _refusal(future, 0 if self._hangs(wait) else wait)

    def _hangs(self, wait: float) -> bool:
        since = self._sending_since
        return since is not None and time.monotonic() - since > wait

    def _ensure_started(self) -> None:
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()

    def _send_for_ever(self) -> None:
        while True:
            wakeups, future = self._waiting.get()
            self._sending_since = time.monotonic()
            try:
                send_all(wakeups)
            except BaseException as error:  # noqa: BLE001 - it is the waiting caller's
                future.set_exception(error)
            else:
                future.set_result(None)
            self._sending_since = None


def _refusal(future: Future[None], wait: float) -> str:
    try:
        future.result(timeout=wait)
    except WaitedLongEnough:
        return SILENT
    except REFUSALS as error:
        return describe_refusal(error)
    return ""


def describe_refusal(error: Exception) -> str:
    """A refusal of the broker in words of ours; what its client said goes to the log."""
    log.warning("the broker refused a message: %s", type(error).__name__)
    if "OOM" in str(error) or "maxmemory" in str(error):
        return "its memory is full"
    timed_out = isinstance(error, TimeoutError) or "imeout" in str(error) + type(error).__name__
    return SILENT if timed_out else "it cannot be reached"


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
    failpoint("publish.before")
    warm_up()
    wait = settings.PUBLISH_WAIT_SECONDS + len(wakeups) * SECONDS_PER_MESSAGE
    refusal = _publisher.publish(wakeups, wait=wait)
    failpoint("publish.after")
    run_ids = [run_id for run_id, _ in wakeups]
    if refusal:
        record_refusal(run_ids, refusal)
    else:
        _mark_published(run_ids)
    return not refusal


def _mark_published(run_ids: list[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET published_at = clock_timestamp(), "
            "publish_attempts = publish_attempts + 1 WHERE id = ANY(%s)",
            [run_ids],
        )


def record_refusal(run_ids: list[int], why: str) -> None:
    refused = Event(
        "publish_refused",
        f"The broker has not taken the message: {why}. The run is safe and will be sent again.",
        EventLevel.WARNING,
        data={"why": why},
    )
    append_events((run_id, refused) for run_id in run_ids)
