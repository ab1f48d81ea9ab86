"""Is everything up? Rows tell when beat, broker, worker and database last worked together."""

from __future__ import annotations

import datetime as dt
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from operations.catalog import OperationCatalog
from operations.models import InvariantResult
from web.durations import ago

#: Missing two ticks in a row is a hiccup; missing more is an outage.
TICKS_TO_MISS = 3
#: The ledger is checked every hour; a check that is older has been missed twice.
CHECK_IS_OLD = dt.timedelta(hours=3)


def check_health() -> dict[str, Any]:
    """`status` "ok" or "degraded"; by name of a check "ok" or what is wrong; and the queues.

    Of each queue with queued runs: how many, how many seconds the oldest has waited, and for how
    many no run was taken.
    """
    checks = {"database": _database(), "broker": _broker()}
    is_there = checks["database"] == "ok"
    waiting = _waiting() if is_there else {}
    checks["scheduler"] = _scheduler() if is_there else "unknown"
    checks["queues"] = _queues(waiting) if is_there else "unknown"
    checks["ledger"] = _ledger() if is_there else "unknown"
    healthy = all(state == "ok" for state in checks.values())
    return {"status": "ok" if healthy else "degraded", "checks": checks, "waiting": waiting}


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "not reachable"
    return "ok"


def _broker() -> str:
    try:
        with current_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
    except Exception:  # noqa: BLE001 - each transport has errors of its own
        return "not reachable"
    return "ok"


def _scheduler() -> str:
    """Whether a tick has come through lately: beat, the broker and a worker are all alive."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXTRACT(EPOCH FROM clock_timestamp() - max(at)) FROM operation_ticks"
            " WHERE name = 'relay'"
        )
        (age,) = cursor.fetchone()
    if age is None:
        return "no tick from beat yet"
    if age > settings.TICK_SECONDS * TICKS_TO_MISS:
        return f"last tick {int(age)} seconds ago: is beat running, and a worker on “ticks”?"
    return "ok"


_WAITING = """
SELECT type, count(*), EXTRACT(EPOCH FROM clock_timestamp() - min(created_at))::int
FROM operation_runs WHERE status = 'queued' GROUP BY type
"""


def _waiting() -> dict[str, dict[str, int]]:
    """The queues with queued runs: `runs`, `oldest_seconds`, `seconds_without_claim`."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        found = cursor.fetchall()
        cursor.execute(
            "SELECT name, EXTRACT(EPOCH FROM clock_timestamp() - at)::int FROM operation_ticks"
        )
        since = dict(cursor.fetchall())
    queues: dict[str, dict[str, int]] = {}
    for run_type, runs, oldest in found:
        entry = OperationCatalog.find(run_type)
        queue = queues.setdefault(
            entry.queue if entry else "unknown", {"runs": 0, "oldest_seconds": 0}
        )
        queue["runs"] += runs
        queue["oldest_seconds"] = max(queue["oldest_seconds"], oldest)
    for name, queue in queues.items():
        # Before the oldest came there was perhaps nothing to take.
        quiet = since.get(f"claim {name}", queue["oldest_seconds"])
        queue["seconds_without_claim"] = min(quiet, queue["oldest_seconds"])
    return queues


def _queues(waiting: dict[str, dict[str, int]]) -> str:
    """Whether each queue in which runs wait has a worker that takes them."""
    patience = 60 * settings.QUEUE_STALLED_MINUTES
    stalled = [
        f"“{name}”: {queue['runs']} wait, none was taken for {queue['seconds_without_claim'] // 60} min"
        for name, queue in sorted(waiting.items())
        if queue["seconds_without_claim"] > patience
    ]
    return "; ".join(stalled) or "ok"


def _ledger() -> str:
    """What the last check of the ledger found; nothing is wrong before the first."""
    results = InvariantResult.objects.order_by("name")
    broken = [result.name for result in results if not result.is_kept]
    if broken:
        return f"promises not kept: {', '.join(broken)}"
    oldest = min((result.checked_at for result in results), default=None)
    if oldest and timezone.now() - oldest > CHECK_IS_OLD:
        return f"last checked {ago((timezone.now() - oldest).total_seconds())}: is a worker on “default”?"
    return "ok"
