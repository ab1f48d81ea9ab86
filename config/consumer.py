"""The consumer of a worker, which takes the messages of its queues."""

import functools
from typing import Any

from celery.exceptions import WorkerLostError
from celery.worker import consumer

#: The longest wait between two attempts to connect; Kombu's is half a minute.
MAX_RETRY_SECONDS = 5


class Consumer(consumer.Consumer):
    """Celery's consumer, which starts again after any error.

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
