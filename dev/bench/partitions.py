"""Measures whether partitions make the retention of events faster; prints ratios of one run.

    python -m dev.bench.partitions [--events 5000000] [--json FILE]

It starts its own database with the events of 30 days in three tables: a plain one as in the
product, one with hash partitions by run, and one with a partition for each day. From each it
removes the six oldest days, after which autovacuum would run, and keeps every 30th run, as
retention does for problems. The cost is the CPU of the server's process, with its vacuum, so that
other load on the machine hardly changes it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from dev.bench.database import own_database, server_cpu
from dev.bench.results import compare, write

DAYS, REMOVED_DAYS = 30, 6
EVENTS_OF_RUN = 5
#: Every so many runs keep their events.
KEPT = 30
HASH_PARTITIONS = 16
#: The number of runs that retention removes with one statement.
BATCH = 200
#: The index of a partition contains what chooses it, so that events of a day are unique, not all.
_TABLES = f"""
CREATE TABLE plain (LIKE operation_run_events INCLUDING DEFAULTS INCLUDING STORAGE,
    UNIQUE (run_id, sequence));
CREATE TABLE hashed (LIKE operation_run_events INCLUDING DEFAULTS INCLUDING STORAGE,
    UNIQUE (run_id, sequence)) PARTITION BY HASH (run_id);
CREATE TABLE daily (LIKE operation_run_events INCLUDING DEFAULTS INCLUDING STORAGE,
    UNIQUE (run_id, sequence, at)) PARTITION BY RANGE (at);
CREATE TABLE kept (LIKE daily INCLUDING ALL);
DO $$ BEGIN
    FOR n IN 0..{HASH_PARTITIONS - 1} LOOP
        EXECUTE format('CREATE TABLE hashed_%s PARTITION OF hashed
            FOR VALUES WITH (MODULUS {HASH_PARTITIONS}, REMAINDER %s)', n, n);
    END LOOP;
    FOR n IN 0..{DAYS - 1} LOOP
        EXECUTE format('CREATE TABLE daily_%s PARTITION OF daily FOR VALUES FROM (%L) TO (%L)',
            n, date '2026-01-01' + n, date '2026-01-01' + n + 1);
    END LOOP;
END $$;
"""
_FILL = """
INSERT INTO {table} (id, run_id, sequence, at, kind, level, message, data, actor)
SELECT (run - 1) * %(of_run)s + sequence, run, sequence,
       timestamptz '2026-01-01 02:00Z' + (run - 1) * %(days)s / %(runs)s * interval '1 day'
           + sequence * interval '1 second',
       (ARRAY['created', 'published', 'claimed', 'phase', 'completed'])[sequence], 'info',
       'Event ' || sequence || ' of a run with a text of a usual length', '{{}}', 'system'
FROM generate_series(1, %(runs)s) run, generate_series(1, %(of_run)s) sequence
"""


class Server:
    """A connection, and the CPU of its process of the server."""

    def __init__(self, url: str) -> None:
        # Other processes would do a part of the work.
        options = "-c max_parallel_workers_per_gather=0 -c max_parallel_maintenance_workers=0"
        self.connection = psycopg.connect(url, autocommit=True, options=options)

    def execute(self, sql: str, **values: Any) -> psycopg.Cursor[Any]:
        return self.connection.execute(sql.encode(), values or None)

    def cpu(self, work: Callable[[], object]) -> float:
        """Do the work; return the seconds of CPU."""
        backends = [self.connection.info.backend_pid]
        before = server_cpu(backends)
        work()
        return server_cpu(backends) - before


def delete(server: Server, table: str, runs: int) -> None:
    """Delete the events of the old runs in batches, and vacuum the table."""
    old = [run for run in range(1, runs * REMOVED_DAYS // DAYS + 1) if run % KEPT]
    for first in range(0, len(old), BATCH):
        batch = old[first : first + BATCH]
        server.execute(f"DELETE FROM {table} WHERE run_id = ANY(%(runs)s)", runs=batch)  # noqa: S608
    server.execute(f"VACUUM (PARALLEL 0) {table}")


def drop(server: Server) -> None:
    """Copy what stays of the old days, and drop their partitions."""
    for day in range(REMOVED_DAYS):
        server.execute(
            f"INSERT INTO kept SELECT * FROM daily_{day} WHERE run_id %% %(kept)s = 0",  # noqa: S608
            kept=KEPT,
        )
        server.execute(f"DROP TABLE daily_{day}")


def measure(url: str, events: int) -> dict[str, dict[str, float]]:
    """Return the seconds of CPU of filling each table and of its retention."""
    server, runs = Server(url), events // EVENTS_OF_RUN
    server.execute(_TABLES)
    values = {"runs": runs, "days": DAYS, "of_run": EVENTS_OF_RUN}
    removals: dict[str, Callable[[], None]] = {
        "plain": lambda: delete(server, "plain", runs),
        "hashed": lambda: delete(server, "hashed", runs),
        "daily": lambda: drop(server),
    }
    seconds: dict[str, dict[str, float]] = {}
    for table, remove in removals.items():
        filled = server.cpu(partial(server.execute, _FILL.format(table=table), **values))
        server.execute(f"VACUUM ANALYZE {table}")
        seconds[table] = {"fill": filled, "retention": server.cpu(remove)}
    return seconds


def report(seconds: dict[str, dict[str, float]], events: int) -> str:
    plain = seconds["plain"]
    removed = events * REMOVED_DAYS // DAYS
    lines = [f"{events:,} events, of which retention removes the {removed:,} oldest"]
    lines += [
        f"{table:8} insert {each['fill'] / plain['fill']:5.2f} of plain   retention "
        f"{each['retention'] / plain['retention']:5.2f} of plain"
        f"   ({each['retention'] / removed * 1e6:.1f} us an event)"
        for table, each in seconds.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database() as url:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        seconds = measure(url, options.events)
    sys.stdout.write(report(seconds, options.events) + "\n")
    rows = [
        compare(f"{work}, {table} / plain", [each[work]], [seconds["plain"][work]])
        for table, each in seconds.items()
        for work in each
    ]
    write(options.json, rows)


if __name__ == "__main__":
    main()
