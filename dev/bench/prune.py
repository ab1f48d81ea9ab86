"""Measures what retention costs; prints ratios, which do not depend on the machine.

    python -m dev.bench.prune [--rows 20000] [--events 3]

It fills a separate workspace with ended runs that have a few events each, and removes them in two
ways: in batches as retention does, and one by one as a loop over `run.delete()` does. Both alternate
on the same table, so that other load on the machine affects both. It removes its data at the end.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
django.setup()

from django.db import connection  # noqa: E402

from operations.maintenance import retention  # noqa: E402
from operations.maintenance.retention import Candidate, RetentionPolicy, Step  # noqa: E402
from operations.models import OperationRun, OperationRunTombstone  # noqa: E402
from operations.testing import allow_pruning  # noqa: E402
from tenancy.db import database_now  # noqa: E402
from tenancy.models import Tenant, Workspace  # noqa: E402

FILL = """
WITH created AS (
    INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
        run_identity_hash, created_at, started_at, completed_at)
    SELECT %(workspace)s, %(tenant)s, 'Bench', 'backup_schedule.run_now', 'completed', 'succeeded',
        encode(sha256(n::text::bytea), 'hex'), at, at, at
    FROM generate_series(1, %(rows)s) n, LATERAL (SELECT now() - interval '3 years'
        + n * interval '1 second' AS at) moment
    RETURNING id)
INSERT INTO operation_run_events (run_id, sequence, kind, level, message)
SELECT id, number, 'note', 'info', 'An event' FROM created, generate_series(1, %(events)s) number
"""


def one_by_one(runs: list[Candidate]) -> None:
    """Remove runs as a loop does: a transaction, a tombstone and a deletion for each."""
    for candidate in runs:
        with allow_pruning():
            run = OperationRun.objects.get(pk=candidate.id)
            assert run.completed_at
            OperationRunTombstone.objects.create(
                id=run.pk, workspace_id=run.workspace_id, tenant_id=run.tenant_id,
                type=run.type, outcome=run.outcome, created_at=run.created_at,
                completed_at=run.completed_at,
            )  # fmt: skip
            run.delete()


def measure(workspace: Workspace) -> tuple[float, float]:
    """Return the seconds per run in batches and one by one, in alternation until none is left."""
    spent = {"batch": 0.0, "single": 0.0}
    count = {"batch": 0, "single": 0}
    walk = retention.find_removable(workspace.pk, RetentionPolicy.configured(), database_now())
    for turn, (step, runs) in enumerate(walk):
        if step is not Step.ROW or not runs:
            continue
        way = "single" if turn % 5 == 4 else "batch"
        started = time.perf_counter()
        if way == "single":
            one_by_one(runs)
        else:
            retention.remove_runs(workspace.pk, step, runs)
        spent[way] += time.perf_counter() - started
        count[way] += len(runs)
    return spent["batch"] / count["batch"], spent["single"] / count["single"]


def clean_up(workspace: Workspace) -> None:
    with allow_pruning(), connection.cursor() as cursor:
        for table in ("operation_run_events", "operation_run_items"):
            cursor.execute(
                f"DELETE FROM {table} WHERE run_id IN "  # noqa: S608 - names of ours
                "(SELECT id FROM operation_runs WHERE workspace_id = %s)",
                [workspace.pk],
            )
        for table in ("operation_runs", "operation_run_tombstones", "tenants"):
            cursor.execute(
                f"DELETE FROM {table} WHERE workspace_id = %s",  # noqa: S608
                [workspace.pk],
            )
    workspace.delete()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--events", type=int, default=3, help="the number of events of each run")
    arguments = options.parse_args()
    workspace = Workspace.objects.create(name="Bench", slug=f"bench-{uuid.uuid4().hex[:8]}")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=uuid.uuid4())
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                FILL,
                {
                    "workspace": workspace.pk,
                    "tenant": tenant.pk,
                    "rows": arguments.rows,
                    "events": arguments.events,
                },
            )
            cursor.execute("ANALYZE operation_runs, operation_run_events")
        batch, single = measure(workspace)
    finally:
        clean_up(workspace)
    sys.stdout.write(
        f"{arguments.rows:,} runs with {arguments.events} events each\n"
        f"in batches of {retention.BATCH}: 1.0 "
        f"(about {1 / batch:,.0f} runs per second on this machine)\n"
        f"one by one: {single / batch:.1f} times as long per run\n"
    )


if __name__ == "__main__":
    main()
