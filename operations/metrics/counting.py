"""Adds what has happened to the counters, and records what a worker has counted itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import connection

from operations.catalog import OperationCatalog
from operations.conflicts import retry_on_serialization_failure

#: The upper bounds of the buckets of every histogram, in seconds.
BOUNDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
#: Increments that one statement counts.
BATCH = 2000
#: The part of the time between two ticks that counting may take.
SHARE_OF_TICK = 1 / 3


def update_metrics() -> int:
    """Count what happened since the last tick; return how many increments were counted.

    It stops after a part of the time between two ticks; the next one continues.
    """
    ends_at = time.monotonic() + settings.TICK_SECONDS * SHARE_OF_TICK
    counted = batch = _count(BATCH)
    while batch == BATCH and time.monotonic() < ends_at:
        batch = _count(BATCH)
        counted += batch
    return counted


@retry_on_serialization_failure
def _count(limit: int) -> int:
    slots = [run_type.value for run_type, entry in OperationCatalog.all().items() if entry.slot_key]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operation_metrics_update(%s, %s::text[], %s::float8[])",
            [limit, slots, list(BOUNDS)],
        )
        return int(cursor.fetchone()[0])


def record(counted: Iterable[tuple[str, Mapping[str, str], float]]) -> None:
    """Record counters with labels and values, in one statement; the tick adds them."""
    rows = [
        {"name": name, "labels": dict(labels), "value": value} for name, labels, value in counted
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute("SELECT operation_metrics_record(%s::jsonb)", [json.dumps(rows)])
