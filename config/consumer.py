"""The consumer of a worker, which takes the messages of its queues."""

import functools
from typing import Any

from celery.exceptions import WorkerLostError
from celery.worker import consumer

#: The longest wait between two attempts to connect; Kombu's is half a minute.
MAX_RETRY_SECONDS = 5


class Consumer(consumer.Consumer):
    """Celery's consumer, which starts again after any error, beside running tasks.

    Celery's continues after errors of the connection only. After any other it takes no message
    while the longest task of its worker runs, and then the worker exits.
    """

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
        processes = getattr(self.pool, "_pool", None)
        for job in getattr(processes, "_cache", {}).values():
            process = job._write_to or job._scheduled_for  # noqa: SLF001 - no public interface
            if job._accepted and process and process._is_alive():  # noqa: SLF001
                processes._busy_workers.add(process.inqW_fd)  # type: ignore[union-attr]  # noqa: SLF001
