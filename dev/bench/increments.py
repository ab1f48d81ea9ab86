"""Measures increments of one running run by eight writers at once; prints ratios of one run.

    python -m dev.bench.increments [--rounds 5] [--increments 200] [--json FILE]

The floor is the same number of writers that add to an integer column of one row. All of them wait
for one lock, and the server waits for its disk. The time includes that of the writers, which are
threads of one process; the CPU is that of the server alone, and hardly depends on other load. No
increment may be lost.
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
from threading import Barrier

import psycopg

from dev.bench.database import own_database, server_cpu
from dev.bench.results import Row, compare, write

WRITERS = 8
_ADD = "UPDATE bench_counter SET value = value + 1 WHERE id = 1"


def measure(url: str, rounds: int, increments: int) -> list[Row]:
    """Take both ways in alternation, and return their rows."""
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
    barrier = Barrier(WRITERS)

    def cost(backend: int, write_one: Callable[[], object]) -> tuple[float, float]:
        """Write together with the others; return the time, and the CPU of the server's process."""
        barrier.wait()
        started, before = time.perf_counter(), server_cpu([backend])
        for _ in range(increments):
            write_one()
        return time.perf_counter() - started, server_cpu([backend]) - before

    def raw(_: int) -> tuple[float, float]:
        with psycopg.connect(url, autocommit=True, prepare_threshold=0) as session:
            session.execute(_ADD)
            return cost(session.info.backend_pid, lambda: session.execute(_ADD))

    def ledger(_: int) -> tuple[float, float]:
        try:
            add()
            return cost(connection.connection.info.backend_pid, add)
        finally:
            connection.close()

    def add() -> None:
        service.increment_summary_counts(run.pk, processed=1)

    costs: dict[str, list[list[tuple[float, float]]]] = {"raw": [], "ledger": []}
    with ThreadPoolExecutor(WRITERS) as pool:
        for _ in range(rounds):
            costs["raw"].append(list(pool.map(raw, range(WRITERS))))
            costs["ledger"].append(list(pool.map(ledger, range(WRITERS))))
    run.refresh_from_db()
    missing = rounds * WRITERS * (increments + 1) - run.counts.processed
    assert not missing, f"{missing} increments were lost"
    times, cpu = (
        {way: [sum(each[at] for each in one) for one in taken] for way, taken in costs.items()}
        for at in (0, 1)
    )
    name = f"increments by {WRITERS} writers / integer column"
    return [
        compare(name, times["ledger"], times["raw"], target=1.6),
        compare(f"{name}, CPU of the server", cpu["ledger"], cpu["raw"]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--increments", type=int, default=200, help="of each writer")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database(durable=True) as url:
        rows = measure(url, options.rounds, options.increments)
    sys.stdout.write("".join(f"{row}\n" for row in rows) + "none lost\n")
    write(options.json, rows)


if __name__ == "__main__":
    main()
