"""The consumer of a worker, which takes the messages of its queues."""

import functools
import time
from collections.abc import Iterator
from typing import Any

from celery.exceptions import WorkerLostError
from celery.worker import consumer, state

from config.broker import BrokerSilence

#: The longest wait between two attempts to connect; Kombu's is half a minute.
MAX_RETRY_SECONDS = 5
#: How long a worker with a free slot hears nothing from its broker before it connects again. Kombu
#: notices a lost connection within 11 seconds.
SILENCE_SECONDS = 20


class Consumer(consumer.Consumer):
    """Celery's consumer, which starts again after any error, beside running tasks.

    Celery's continues after errors of the connection only. After any other it takes no message
    while the longest task of its worker runs, and then the worker exits.
    """

    task_consumer: Any
    qos: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.connection_errors = (Exception,)

    def ensure_connected(self, connection: Any) -> Any:
        """Connect to the broker, however long that takes."""
        connection.ensure_connection = functools.partial(
            connection.ensure_connection,
            interval_start=1,
            interval_step=1,
            interval_max=MAX_RETRY_SECONDS,
        )
        return super().ensure_connected(connection)

    def on_connection_error_after_connected(self, error: Exception) -> None:
        """Close the connection before another one is made.

        Raises:
            WorkerLostError: no process could be started for the tasks.
        """
        if isinstance(error, WorkerLostError):
            raise error
        super().on_connection_error_after_connected(error)

    def on_close(self) -> None:
        """Forget the messages of a lost connection, but not which processes are busy.

        Celery 5.6 would give the next message to a process with a long task, and wait for that
        although other processes are idle (github.com/celery/celery/pull/10346).
        """
        super().on_close()
        self._closed_at = time.monotonic()
        for job in self._running_jobs():
            process = job._write_to or job._scheduled_for  # noqa: SLF001
            if process and process._is_alive():  # noqa: SLF001
                self.pool._pool._busy_workers.add(process.inqW_fd)  # noqa: SLF001

    def register_with_event_loop(self, hub: Any) -> None:
        """Limit the time of running tasks again.

        Celery 5.6 forgets the limits of all of them when it loses the connection.
        """
        super().register_with_event_loop(hub)
        self._replies: int | None = None
        hub.call_repeatedly(SILENCE_SECONDS, self._check_silence)
        for job in self._running_jobs():
            soft, hard = (
                limit and job._time_accepted + limit - time.monotonic()  # noqa: SLF001
                for limit in (job._soft_timeout, job._timeout)  # noqa: SLF001
            )
            is_interrupted = soft and time.monotonic() + soft < self._closed_at
            self.pool._pool.on_timeout_set(job, None if is_interrupted else soft, hard)  # noqa: SLF001

    def _check_silence(self) -> None:
        """Connect again if no reply has come since the last check although a slot was free.

        Kombu can count a message as in progress that no process works on. It then asks for no
        other one, and nothing fails.

        Raises:
            BrokerSilence: so it is.
        """
        channel = self.task_consumer.channel
        is_free = len(state.reserved_requests) < self.qos.value
        if is_free and self._replies == channel.replies:
            in_progress = len(channel.qos._delivered) - len(channel.qos._dirty)  # noqa: SLF001
            raise BrokerSilence(
                f"no reply for {SILENCE_SECONDS} s; {in_progress} messages counted as in progress,"
                f" {len(state.reserved_requests)} tasks, a pending read: {bool(channel._in_poll)}"  # noqa: SLF001
            )
        self._replies = channel.replies if is_free else None

    def _running_jobs(self) -> Iterator[Any]:
        """The tasks that a process of this worker has accepted; there is no public interface."""
        cache = getattr(getattr(self.pool, "_pool", None), "_cache", {})
        return (job for job in list(cache.values()) if job._accepted)  # noqa: SLF001
