"""Measures the WAL of a run that does nothing; prints ratios, taken in one run.

    python -m dev.bench.wal [--runs 500] [--baseline REVISION] [--json FILE]

It starts its own servers. The database writes no images of pages: with `full_page_writes`, each page
is also written once after each checkpoint, which depends on the time between two checkpoints and not
on the ledger. The floor is raw SQL that inserts, claims and completes a row of the same table, with
its indexes and triggers, but without events. With `--baseline`, another revision does the same on a
database with its own migrations.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dev.bench.database import create_database, own_broker, own_database
from dev.bench.ledger import CLAIM, COMPLETE, INSERT
from dev.bench.results import Row, write
from dev.bench.revisions import ROOT, checkout, result_of

MODULE = "dev.bench.wal"
#: Runs before the measurement: a page of an empty index has room for more.
WARM_UP = 200
STEPS = ("dispatch", "claim", "complete")
_UPDATES = """
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'operation_runs'
"""


def measure(runs: int) -> dict[str, float]:
    """Return the mean bytes of WAL of each step, those of the floor, and the updates of a run."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    logging.disable()
    from django.db import connection

    from operations.services import OperationRunService
    from operations.types import OperationRunType
    from tenancy.models import Tenant, Workspace

    service = OperationRunService()
    workspace = Workspace.objects.create(name="Bench", slug="bench")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=uuid.uuid4())
    run_type = OperationRunType.BACKUP_SCHEDULE_RUN_NOW
    written: Counter[str] = Counter()

    def query(sql: str, *params: Any) -> tuple[Any, ...]:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            row: tuple[Any, ...] = cursor.fetchone()
            return row

    def count(name: str, call: Callable[[], Any]) -> Any:
        (before,) = query("SELECT pg_current_wal_insert_lsn()")
        result = call()
        (size,) = query("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before)
        written[name] += int(size)
        return result

    def take_run() -> None:
        values = {"workspace": workspace, "tenant": tenant, "inputs": {"bench": uuid.uuid4().hex}}
        run = count("dispatch", lambda: service.dispatch_or_fail(run_type, **values).run)
        count("claim", lambda: service.claim(run.pk, "bench"))
        count("complete", lambda: service.complete(run.pk))

    def updates() -> tuple[int, ...]:
        query("SELECT pg_stat_force_next_flush()")
        return query(_UPDATES)

    def take_floor() -> None:
        row = (workspace.pk, tenant.pk, run_type.value, uuid.uuid4().hex * 2)
        (run_id,) = count("floor", lambda: query(f"{INSERT} RETURNING id", *row))
        for statement in (CLAIM, COMPLETE):
            count("floor", partial(query, f"{statement} RETURNING id", run_id))

    for _ in range(WARM_UP):
        take_run()
        take_floor()
    written.clear()
    before = updates()
    for _ in range(runs):
        take_run()
    after = updates()
    for _ in range(runs):
        take_floor()
    changed, hot = (now - then for now, then in zip(after, before, strict=True))
    return {
        **{name: written[name] / runs for name in (*STEPS, "floor")},
        "updates": changed / runs,
        "HOT": hot / runs,
    }


def describe(name: str, taken: dict[str, float]) -> str:
    steps = ", ".join(f"{step} {taken[step]:.0f}" for step in STEPS)
    return (
        f"{name}: {total(taken):.0f} bytes a run ({steps}); raw SQL {taken['floor']:.0f}; "
        f"{taken['HOT']:.1f} of {taken['updates']:.1f} updates are HOT\n"
    )


def total(taken: dict[str, float]) -> float:
    return sum(taken[step] for step in STEPS)


def row(name: str, used: float, floor: float, target: float) -> Row:
    return Row(name, used / floor, used / floor, used, floor, target)


def compare(options: argparse.Namespace) -> list[Row]:
    """Measure this revision and the other one, and return the rows."""
    command = [sys.executable, "-m", MODULE, "--measure", "--runs", str(options.runs)]
    taken = result_of(command, ROOT)
    sys.stdout.write(describe("this", taken))
    rows = [row("bytes of WAL of a run / raw SQL", total(taken), taken["floor"], 1.5)]
    if options.baseline:
        os.environ["DATABASE_URL"] = create_database("baseline")
        with checkout(options.baseline, Path(__file__)) as tree:
            before = result_of(command, tree)
        sys.stdout.write(describe(options.baseline, before))
        rows.append(row("bytes of WAL of a run / baseline", total(taken), total(before), 1.0))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--baseline", help="a git revision to compare with")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        sys.stdout.write(json.dumps(measure(options.runs)) + "\n")
        return
    with own_database(), own_broker():
        rows = compare(options)
    sys.stdout.write("".join(f"{each}\n" for each in rows))
    write(options.json, rows)


if __name__ == "__main__":
    main()
