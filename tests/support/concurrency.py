"""Threads with their own database connections that start at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection

Result = TypeVar("Result")
TIMEOUT_SECONDS = 60


class RacingThreads:
    """A fixed number of threads with one database connection each."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=size, thread_name_prefix="racer")
        self._start = threading.Barrier(size, timeout=TIMEOUT_SECONDS)
        self._size = size

    def race(self, jobs: Sequence[Callable[[], Result]]) -> list[Result]:
        """Start one job per thread at the same moment; return their results in order."""
        assert len(jobs) == self._size
        futures = [self._pool.submit(self._run, job) for job in jobs]
        return [future.result(timeout=TIMEOUT_SECONDS) for future in futures]

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Start a single job."""
        return self._pool.submit(job)

    def close(self) -> None:
        """Close every thread's connection, so that the test database can be emptied."""
        self.race([_close_own_connection] * self._size)
        self._pool.shutdown()

    def _run(self, job: Callable[[], Result]) -> Result:
        connection.ensure_connection()
        self._start.wait()
        return job()


def _close_own_connection() -> None:
    connection.close()


@contextmanager
def racing_threads(size: int) -> Any:
    """Provide racing threads and close their connections at the end."""
    threads = RacingThreads(size)
    try:
        yield threads
    finally:
        threads.close()


def backend_pid() -> int:
    """Return the process id of the backend that serves this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def wait_until_blocked(pid: int, *, by: int) -> None:
    """Wait until one connection is blocked by a lock of another.

    Raises:
        AssertionError: the connection is not blocked within the timeout.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_blocking_pids(%s)", [pid])
            if by in cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError(f"connection {pid} was not blocked by {by}")
