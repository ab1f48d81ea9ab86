"""Retention of sessions and of the records of sign-ins."""

from __future__ import annotations

import datetime as dt
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import connection

#: Rows that one statement removes, so that no transaction is long.
BATCH = 5_000

_EXPIRED = {
    "axes_accessattempt": "attempt_time <= clock_timestamp() - %(lock)s",
    "axes_accessfailurelog": "attempt_time <= clock_timestamp() - %(record)s",
    "axes_accesslog": "attempt_time <= clock_timestamp() - %(record)s",
}


def remove_expired() -> dict[str, int]:
    """Remove expired sessions, ended locks, and sign-ins older than SIGN_IN_RECORD_DAYS.

    Returns:
        The number of removed rows by table of sign-ins.
    """
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    return {table: _remove(table, rule) for table, rule in _EXPIRED.items()}


def _remove(table: str, rule: str) -> int:
    statement = (
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {rule} LIMIT {BATCH})"  # noqa: S608 - constants  # nosec B608
    )
    parameters: dict[str, Any] = {
        "lock": settings.AXES_COOLOFF_TIME,
        "record": dt.timedelta(days=settings.SIGN_IN_RECORD_DAYS),
    }
    total, removed = 0, BATCH
    while removed == BATCH:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            removed = int(cursor.rowcount)
        total += removed
    return total
