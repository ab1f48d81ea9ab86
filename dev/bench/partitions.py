"""Measures whether partitions would make retention faster; prints ratios, taken in one run.

    python -m dev.bench.partitions [--events 20000000] [--events-of-a-run 10] [--sample 50000]

It starts its own database server and fills the timelines of ended runs. Retention removes those of
the oldest runs, and a vacuum follows. The timelines of the next ones are in a table of their own, as
a partition by run would be: retention marks these runs too, but then only the events that it keeps
are copied, and the table is dropped.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from dev.bench.database import own_database

#: The share of the runs whose events retention keeps: the last ones of a tenant, and problems.
KEPT = 0.02

_FILL = """
INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
    run_identity_hash, created_at, started_at, completed_at)
SELECT %(workspace)s, %(tenant)s, 'Bench', 'backup_schedule.run_now', 'completed', 'succeeded',
    encode(sha256(n::text::bytea), 'hex'), at, at, at
FROM generate_series(1, %(runs)s) n,
     LATERAL (SELECT now() - interval '200 days' + n * interval '1 second' AS at) moment;

INSERT INTO operation_run_events (run_id, sequence, kind, level, message, at)
SELECT run.id, number, 'phase', 'info', 'Reading the policies of the settings catalog', run.created_at
FROM operation_runs run, generate_series(1, %(events)s) number;

CREATE TABLE ordered_runs AS SELECT id, row_number() OVER (ORDER BY id) AS place FROM operation_runs;

CREATE TABLE partition AS SELECT event.* FROM operation_run_events event
JOIN ordered_runs run ON run.id = event.run_id WHERE place BETWEEN %(sample)s + 1 AND 2 * %(sample)s;
ALTER TABLE partition ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON partition (run_id, sequence);

DELETE FROM operation_run_events WHERE id IN (SELECT id FROM partition);
CREATE TABLE kept_runs AS SELECT id FROM ordered_runs WHERE random() < %(kept)s;
"""
_REWRITE = """
CREATE TABLE next_partition AS
SELECT event.* FROM partition event JOIN kept_runs ON kept_runs.id = event.run_id;
ALTER TABLE next_partition ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX ON next_partition (run_id, sequence);
DROP TABLE partition;
"""
_TABLES = ("operation_runs", "operation_run_events")


def measure(events: int, events_of_a_run: int, sample: int) -> dict[str, float]:
    """Return the seconds of each step for `sample` runs."""
    from django.db import connection

    from operations.maintenance import retention
    from tenancy.db import database_now
    from tests.support.factories import TenantFactory

    tenant = TenantFactory()
    parameters = {
        "workspace": tenant.workspace_id,
        "tenant": tenant.pk,
        "runs": events // events_of_a_run,
        "events": events_of_a_run,
        "sample": sample,
        "kept": KEPT,
    }
    policy = retention.RetentionPolicy.configured()
    batches = retention.find_removable(tenant.workspace_id, policy, database_now())

    def remove(count: int) -> None:
        while count > 0:
            step, runs = next(batches)
            if step is retention.Step.DETAILS:
                count -= retention.remove_runs(tenant.workspace_id, step, runs)

    with connection.cursor() as cursor:

        def steps() -> Iterator[str]:
            for table in _TABLES:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(_FILL, parameters)
            for table in _TABLES:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
                cursor.execute(f"VACUUM ANALYZE {table}")
            yield "fill"
            remove(sample)
            yield "remove"
            cursor.execute("VACUUM operation_run_events")
            yield "vacuum"
            remove(sample)
            yield "mark"
            cursor.execute(_REWRITE)
            yield "rewrite"

        seconds, started = {}, time.perf_counter()
        for step in steps():
            seconds[step], started = time.perf_counter() - started, time.perf_counter()
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=20_000_000)
    options.add_argument("--events-of-a-run", type=int, default=10)
    options.add_argument("--sample", type=int, default=50_000, help="the number of runs removed")
    arguments = options.parse_args()
    with own_database():
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        seconds = measure(arguments.events, arguments.events_of_a_run, arguments.sample)
    today = seconds["remove"] + seconds["vacuum"]
    partitioned = seconds["mark"] + seconds["rewrite"]
    sys.stdout.write(
        f"{arguments.events:,} events, {arguments.events_of_a_run} of each run\n"
        f"without partitions: 1.0 ({today / arguments.sample * 1e3:.2f} ms a run on this machine)\n"
        f"with partitions: {partitioned / today:.2f}\n"
        f"of which the runs themselves take {seconds['mark'] / today:.2f}\n"
    )


if __name__ == "__main__":
    main()
