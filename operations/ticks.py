"""When beat's ticks and the workers' claims last came through: the rows of `operation_ticks`."""

from __future__ import annotations

from django.conf import settings
from django.db import connection

from operations.catalog import OperationCatalog

#: A claim is noted once in so many seconds, so that busy workers do not wait for one row.
CLAIM_SECONDS = 10


def acquire_tick(name: str) -> bool:
    """Whether a tick is the first of its name for half an interval; the others have nothing to do.

    Ticks never expire. After an outage, or with several beats, many wait, and they must not keep
    a worker from what waits behind them. A turn also tells that beat, broker, worker and database
    have worked together.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_ticks AS last (name, at) VALUES (%(name)s, clock_timestamp())"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at"
            " WHERE last.at <= excluded.at - make_interval(secs => %(seconds)s)"
            # The database's clock was set back.
            " OR last.at > excluded.at + make_interval(secs => %(seconds)s)"
            " RETURNING 1",
            {"name": name, "seconds": settings.TICK_SECONDS / 2},
        )
        return cursor.fetchone() is not None


def record_claim(run_type: str) -> None:
    """Note that a worker takes runs from the queue of a type.

    Looks before it writes: unlike a turn, which has to be taken by one, it must not lock the row.
    """
    entry = OperationCatalog.find(run_type)
    if entry is None:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_ticks (name, at) SELECT %(name)s, clock_timestamp()"
            " WHERE NOT EXISTS (SELECT FROM operation_ticks WHERE name = %(name)s"
            " AND at > clock_timestamp() - make_interval(secs => %(seconds)s))"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            {"name": f"claim {entry.queue}", "seconds": CLAIM_SECONDS},
        )
