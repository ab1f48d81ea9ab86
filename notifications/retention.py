"""Removes old events with their notifications and deliveries."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

#: Events of one transaction.
BATCH = 5_000

_REMOVE = """
DELETE FROM notification_events WHERE id = ANY (ARRAY(
    SELECT id FROM notification_events
    WHERE created_at < statement_timestamp() - make_interval(days => %s) AND handled_at IS NOT NULL
    ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED))
"""


def remove_old_events() -> int:
    """Remove events that are older than `NOTIFICATION_KEEP_DAYS`; return their number."""
    removed = batch = _remove_batch()
    while batch == BATCH:
        batch = _remove_batch()
        removed += batch
    return removed


def _remove_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_REMOVE, [settings.NOTIFICATION_KEEP_DAYS, BATCH])
        return int(cursor.rowcount)
