"""The pace of each connection, which all workers share through the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from providers.graph.pacing import Pace
from providers.models import ConnectionPace

# The time is read once the row is locked.
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
_ADD = """
INSERT INTO connection_paces (connection_id, tenant_id, workspace_id)
SELECT id, tenant_id, workspace_id FROM provider_connections WHERE id = %s ON CONFLICT DO NOTHING
"""


class SharedPace:
    """The pace of one connection; a deleted connection has an empty one."""

    def __init__(self, connection_id: int) -> None:
        self._connection_id = connection_id

    @contextmanager
    def open(self) -> Iterator[tuple[Pace, float]]:
        """Lock the pace and yield it with the time of the database; then store it."""
        with transaction.atomic(), connection.cursor() as cursor:
            row = self._lock() or self._add()
            cursor.execute(_NOW)
            pace = Pace(row.sent, row.not_before) if row else Pace()
            yield pace, cursor.fetchone()[0]
            if row:
                row.sent, row.not_before = pace.sent, pace.not_before
                row.save(update_fields=["sent", "not_before"])

    def _lock(self) -> ConnectionPace | None:
        rows = ConnectionPace.objects.select_for_update()
        return rows.filter(connection_id=self._connection_id).first()

    def _add(self) -> ConnectionPace | None:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [self._connection_id])
        return self._lock()
