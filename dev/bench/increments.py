"""Measures increments of one running run by eight writers at once; prints ratios of one run.

    python -m dev.bench.increments [--rounds 5] [--increments 100] [--json FILE]

The floor is the same number of writers that add to an integer column of one row. Both wait for the
same lock, so that the time is that of the server and not of the writers. No increment may be lost.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from dev.bench.database import own_database
from dev.bench.results import Row, compare, write

WRITERS = 8


def writers(work: Callable[[int], object]) -> float:
    """Let the writers work at once; return the seconds until the last one has finished."""
    with ThreadPoolExecutor(WRITERS) as pool:
        started = time.perf_counter()
        list(pool.map(work, range(WRITERS)))
        return time.perf_counter() - started


def measure(url: str, rounds: int, increments: int) -> Row:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from operations.dispatch import RunRequest
    from operations.services import OperationRunService
    from operations.types import OperationRunType
    from tenancy.models import Tenant, Workspace

    call_command("migrate", verbosity=0)
    logging.disable()
    workspace = Workspace.objects.create(name="Bench", slug="bench")
    tenant = Tenant.objects.create(workspace=workspace, name="Bench", external_id=uuid.uuid4())
    service = OperationRunService()
    request = RunRequest(
        type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW, workspace=workspace, tenant=tenant
    )
    run = service.ensure_run(request).run
    assert service.claim(run.pk, "bench")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_counter (id int PRIMARY KEY, value int NOT NULL)")
        cursor.execute("INSERT INTO bench_counter VALUES (1, 0)")

    def raw(_: int) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=0) as session:
            for _number in range(increments):
                session.execute("UPDATE bench_counter SET value = value + 1 WHERE id = 1")

    def ledger(_: int) -> None:
        try:
            for _number in range(increments):
                service.increment_summary_counts(run.pk, processed=1)
        finally:
            connection.close()

    taken, floor = [], []
    for _ in range(rounds):
        floor.append(writers(raw))
        taken.append(writers(ledger))
    run.refresh_from_db()
    expected = rounds * WRITERS * increments
    assert run.counts.processed == expected, f"{expected - run.counts.processed} increments lost"
    name = f"increments by {WRITERS} writers / integer column"
    return compare(name, taken, floor, target=1.6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--increments", type=int, default=100, help="of each writer")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database() as url:
        row = measure(url, options.rounds, options.increments)
    sys.stdout.write(f"{row}; none lost\n")
    write(options.json, [row])


if __name__ == "__main__":
    main()
