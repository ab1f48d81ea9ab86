"""The health of the installation, from the times of ticks and claims in `operation_ticks`."""

from __future__ import annotations

import datetime as dt
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeout
from contextlib import contextmanager, suppress
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error, connection, connections
from psycopg.errors import DiskFull, InsufficientPrivilege, ReadOnlySqlTransaction

from operations import ticks
from operations.catalog import OperationCatalog
from operations.delivery.refusals import NO_ANSWER, UNREACHABLE, describe_refusal
from operations.models import InvariantResult
from tenancy.db import database_now
from web.durations import ago

#: The scheduler is unhealthy after this many missed ticks in a row.
MAX_MISSED_TICKS = 3
#: The ledger is checked every hour; after this time two checks have been missed.
MAX_CHECK_AGE = dt.timedelta(hours=3)


#: A load balancer waits this long for all checks together; longer than a connection attempt.
MAX_SECONDS = 4.0
#: A key that the broker writes and deletes.
HEALTH_KEY = "runledger.health"

REFUSED_WRITES: dict[type[BaseException | None], str] = {
    DiskFull: "it refuses to write: its disk is full",
    InsufficientPrivilege: "it refuses to write: its role lacks a permission",
    ReadOnlySqlTransaction: "it refuses to write: it is read-only",
}


def check_health() -> dict[str, Any]:
    """Check database, broker, scheduler, queues and ledger within `MAX_SECONDS`.

    Database and broker are asked to write, because a server that answers can refuse that: a
    standby, a full disk or memory, or missing replicas.

    Returns:
        `status`, "ok" or "degraded"; `checks`, "ok" or the problem by name of the check; and
        `waiting`, for each queue with queued runs their number, the age of the oldest in seconds,
        and the seconds since a run was last claimed.
    """
    deadline = time.monotonic() + MAX_SECONDS
    broker: Future[str] = Future()
    threading.Thread(target=_check_broker, args=[broker], name="health", daemon=True).start()
    checks = dict.fromkeys(("database", "broker", "scheduler", "queues", "ledger"), "unknown")
    waiting: dict[str, dict[str, int]] = {}
    try:
        with _limited_to(deadline):
            _write_to_database()
            waiting = load_waiting()
            checks |= {
                "database": "ok",
                "scheduler": _check_scheduler(),
                "queues": _check_queues(waiting),
                "ledger": _check_ledger(),
            }
    except Error as error:
        checks["database"] = _describe_database_error(error, deadline)
    try:
        checks["broker"] = broker.result(timeout=max(0, deadline - time.monotonic()))
    except WaitTimeout:
        checks["broker"] = NO_ANSWER
    is_healthy = all(state == "ok" for state in checks.values())
    return {"status": "ok" if is_healthy else "degraded", "checks": checks, "waiting": waiting}


@contextmanager
def _limited_to(deadline: float) -> Iterator[None]:
    """Disconnect from the database if the block has not ended at the deadline.

    Neither a statement timeout nor the network ends a query that waits in a pooler, or in a server
    that is frozen. Connecting has its own limit, `connect_timeout`.
    """
    if not connection.in_atomic_block:
        # The test of an old connection can take all the time, and a new one would then need more.
        connection.close()
    database = connections[connection.alias]
    has_ended = threading.Event()

    def disconnect_at_deadline() -> None:
        wait = max(0, deadline - time.monotonic())
        while not has_ended.wait(wait):
            _disconnect(database.connection)
            wait = 0.1

    watch = threading.Thread(target=disconnect_at_deadline, name="deadline", daemon=True)
    watch.start()
    try:
        yield
    finally:
        has_ended.set()
        watch.join()


def _disconnect(database: Any) -> None:
    """End a connection that another thread waits for; that thread gets an error."""
    with suppress(Exception):
        descriptor = os.dup(database.pgconn.socket)
        with socket.socket(fileno=descriptor) as copy:
            copy.shutdown(socket.SHUT_RDWR)


def _write_to_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_ticks (name, at) VALUES ('health', clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
        )


def _describe_database_error(error: Error, deadline: float) -> str:
    if time.monotonic() >= deadline:
        connection.close()
        return NO_ANSWER
    return REFUSED_WRITES.get(type(error.__cause__), UNREACHABLE)


def _check_broker(result: Future[str]) -> None:
    """Ask the broker to write, with short time limits."""
    limits = {"socket_timeout": 1, "socket_connect_timeout": 1}
    try:
        with current_app.connection_for_write(transport_options=limits) as broker:
            broker.ensure_connection(max_retries=0)
            channel: Any = broker.default_channel
            channel.client.set(HEALTH_KEY, "ok", ex=60)
    except Exception as error:  # noqa: BLE001 - each transport has its own errors
        result.set_result(describe_refusal(error))
    else:
        result.set_result("ok")


def _check_scheduler() -> str:
    """Check that a tick of each queue ran recently, which needs beat, the broker and a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, EXTRACT(EPOCH FROM clock_timestamp() - at) FROM operation_ticks"
            " WHERE name = ANY (%s)",
            [list(ticks.WATCHED.values())],
        )
        ages = dict(cursor.fetchall())
    for queue, name in ticks.WATCHED.items():
        if name not in ages:
            return f"no tick from beat yet, or no worker on “{queue}”"
        if ages[name] > settings.TICK_SECONDS * MAX_MISSED_TICKS:
            return f"last tick on “{queue}” {int(ages[name])} seconds ago: is beat running, and a worker?"
    return "ok"


_WAITING = """
SELECT type, count(*), EXTRACT(EPOCH FROM clock_timestamp() - min(created_at))::int
FROM operation_runs WHERE status = 'queued' GROUP BY type
"""


def load_waiting() -> dict[str, dict[str, int]]:
    """Return `runs`, `oldest_seconds` and `seconds_without_claim` of each queue with queued runs."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT name, EXTRACT(EPOCH FROM clock_timestamp() - at)::int FROM operation_ticks"
        )
        tick_ages = dict(cursor.fetchall())
    queues: dict[str, dict[str, int]] = {}
    for run_type, runs, oldest in rows:
        entry = OperationCatalog.find(run_type)
        name = entry.queue if entry else "unknown"
        queue = queues.setdefault(name, {"runs": 0, "oldest_seconds": 0})
        queue["runs"] += runs
        queue["oldest_seconds"] = max(queue["oldest_seconds"], oldest)
    for name, queue in queues.items():
        # Before the oldest run was queued, the queue may have been empty.
        claim_age = tick_ages.get(f"claim {name}", queue["oldest_seconds"])
        queue["seconds_without_claim"] = min(claim_age, queue["oldest_seconds"])
    return queues


def _check_queues(waiting: dict[str, dict[str, int]]) -> str:
    """Check that runs are claimed from each queue with queued runs."""
    limit = 60 * settings.QUEUE_STALLED_MINUTES
    stalled = [
        f"“{name}”: {queue['runs']} queued, none claimed for"
        f" {queue['seconds_without_claim'] // 60} min"
        for name, queue in sorted(waiting.items())
        if queue["seconds_without_claim"] > limit
    ]
    return "; ".join(stalled) or "ok"


def _check_ledger() -> str:
    """Check the results of the last ledger check; before the first one, the result is “ok”."""
    results = InvariantResult.objects.order_by("name")
    violated = [result.name for result in results if not result.is_kept]
    if violated:
        return f"violated: {', '.join(violated)}"
    oldest = min((result.checked_at for result in results), default=None)
    if oldest is None:
        return "ok"
    age = database_now() - oldest
    if age > MAX_CHECK_AGE:
        return f"last checked {ago(age.total_seconds())}: is a worker on “default”?"
    return "ok"
