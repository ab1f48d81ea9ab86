"""The health of the installation, from the times of ticks and claims in `operation_ticks`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error, connection

from operations.catalog import OperationCatalog
from operations.models import InvariantResult
from tenancy.db import database_now
from web.durations import ago

#: The scheduler is unhealthy after this many missed ticks in a row.
MAX_MISSED_TICKS = 3
#: The ledger is checked every hour; after this time two checks have been missed.
MAX_CHECK_AGE = dt.timedelta(hours=3)


def check_health() -> dict[str, Any]:
    """Check database, broker, scheduler, queues and ledger.

    Returns:
        `status`, "ok" or "degraded"; `checks`, "ok" or the problem by name of the check; and
        `waiting`, for each queue with queued runs their number, the age of the oldest in seconds,
        and the seconds since a run was last claimed.
    """
    checks = {"database": _check_database(), "broker": _check_broker()}
    waiting: dict[str, dict[str, int]] = {}
    if checks["database"] == "ok":
        waiting = _load_waiting()
        checks["scheduler"] = _check_scheduler()
        checks["queues"] = _check_queues(waiting)
        checks["ledger"] = _check_ledger()
    else:
        checks |= dict.fromkeys(("scheduler", "queues", "ledger"), "unknown")
    is_healthy = all(state == "ok" for state in checks.values())
    return {"status": "ok" if is_healthy else "degraded", "checks": checks, "waiting": waiting}


def _check_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "not reachable"
    return "ok"


def _check_broker() -> str:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
    except Exception:  # noqa: BLE001 - each transport has its own errors
        return "not reachable"
    return "ok"


def _check_scheduler() -> str:
    """Check that a tick ran recently, which needs beat, the broker and a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM clock_timestamp() - max(at)) FROM operation_ticks"
            " WHERE name = 'relay'"
        )
        (age,) = cursor.fetchone()
    if age is None:
        return "no tick from beat yet"
    if age > settings.TICK_SECONDS * MAX_MISSED_TICKS:
        return f"last tick {int(age)} seconds ago: is beat running, and a worker on “ticks”?"
    return "ok"


_WAITING = """
SELECT type, count(*), EXTRACT(EPOCH FROM clock_timestamp() - min(created_at))::int
FROM operation_runs WHERE status = 'queued' GROUP BY type
"""


def _load_waiting() -> dict[str, dict[str, int]]:
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
