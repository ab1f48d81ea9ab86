"""The times of the last ticks and claims: the rows of `operation_ticks`."""

from __future__ import annotations

import datetime as dt
import time

from django.conf import settings
from django.db import connection

from operations.catalog import OperationCatalog

#: The ticks that `/healthz` watches, by the queue on which a worker takes them.
WATCHED = {"ticks": "relay"}
#: Seconds between two recorded claims of a queue, so that busy workers do not wait for one row.
CLAIM_SECONDS = 10
#: The monotonic time at which this process last recorded a claim of a queue.
_claims: dict[str, float] = {}
#: Two ticks further apart do not agree on the time: there was an outage, or a clock was set.
STEADY = dt.timedelta(minutes=10)


def watch_tick(name: str, *, queue: str) -> None:
    """Have `/healthz` report if no worker takes this tick, which stands for those of its queue."""
    WATCHED[queue] = name


def acquire_tick(name: str) -> bool:
    """Return whether this tick should run: the first of its name within half an interval.

    Ticks never expire. After an outage, or with several beats, many ticks are queued; all but one
    end at once. A recorded tick also shows that beat, broker, worker and database work together.
    """
    return _record_tick(name) is not None


def acquire_steady_tick(name: str) -> dt.datetime | None:
    """Like `acquire_tick`, but return the time, and only if it follows that of the last tick.

    A clock of the database that is wrong for one tick then decides nothing. After an outage this
    costs one tick.
    """
    if (recorded := _record_tick(name)) is None:
        return None
    now, previous = recorded
    if previous is None or dt.timedelta() <= now - previous <= STEADY:
        return now
    return None


_RECORD_TICK = """
WITH previous AS (SELECT at FROM operation_ticks WHERE name = %(name)s)
INSERT INTO operation_ticks AS last (name, at) VALUES (%(name)s, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET at = excluded.at
WHERE last.at <= excluded.at - make_interval(secs => %(seconds)s)
   -- The clock of the database was set back.
   OR last.at > excluded.at + make_interval(secs => %(seconds)s)
RETURNING at, (SELECT at FROM previous)
"""


def _record_tick(name: str) -> tuple[dt.datetime, dt.datetime | None] | None:
    """Record a tick and return its time and that of the one before; None if there was one just now."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_TICK, {"name": name, "seconds": settings.TICK_SECONDS / 2})
        recorded: tuple[dt.datetime, dt.datetime | None] | None = cursor.fetchone()
    return recorded


def record_claim(run_type: str) -> None:
    """Record that a worker claims runs from the queue of a type, from time to time.

    Unlike `acquire_tick`, it reads before it writes, so that concurrent claims do not lock the row.
    """
    entry = OperationCatalog.find(run_type)
    if entry is None or time.monotonic() - _claims.get(entry.queue, -CLAIM_SECONDS) < CLAIM_SECONDS:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_ticks (name, at) SELECT %(name)s, clock_timestamp()"
            " WHERE NOT EXISTS (SELECT FROM operation_ticks WHERE name = %(name)s"
            " AND at > clock_timestamp() - make_interval(secs => %(seconds)s))"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            {"name": f"claim {entry.queue}", "seconds": CLAIM_SECONDS},
        )
    _claims[entry.queue] = time.monotonic()
