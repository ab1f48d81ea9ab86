"""Is everything up? One row tells when beat, broker, worker and database last worked together."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.conf import settings
from django.db import Error, connection

#: Missing two ticks in a row is a hiccup; missing more is an outage.
TICKS_TO_MISS = 3


def record_tick() -> None:
    """Note that a tick came through beat, the broker and a worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_ticks (name, at) VALUES ('relay', clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
        )


def health() -> dict[str, Any]:
    """`{"status": "ok" | "degraded", "checks": {name: "ok" | what is wrong}}`."""
    checks = {"database": _database(), "broker": _broker(), "scheduler": ""}
    checks["scheduler"] = _scheduler() if checks["database"] == "ok" else "unknown"
    healthy = all(state == "ok" for state in checks.values())
    return {"status": "ok" if healthy else "degraded", "checks": checks}


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
        )
        (age,) = cursor.fetchone()
    if age is None:
        return "no tick from beat yet"
    if age > settings.TICK_SECONDS * TICKS_TO_MISS:
        return f"last tick {int(age)} seconds ago: is beat running, and a worker on “ticks”?"
    return "ok"
