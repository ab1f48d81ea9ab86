"""Emptying tables, which the guards refuse, and the suite has to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from legacy_runs.models import TABLES

HISTORY_GUARDS = ";".join(
    f"ALTER TABLE {table} {{0}} TRIGGER {table}_read_only"
    for table in (model._meta.db_table for model in TABLES.values())
)


@contextmanager
def guards_put_aside() -> Iterator[None]:
    """Every table may be emptied."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.pruning', 'on', false)")
        cursor.execute(HISTORY_GUARDS.format("DISABLE"))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(HISTORY_GUARDS.format("ENABLE"))
            cursor.execute("SELECT set_config('runledger.pruning', '', false)")
