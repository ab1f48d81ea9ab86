"""Measures the writes of the ledger against raw SQL; prints ratios, taken in one run.

    python -m dev.bench.ledger [--rounds 300] [--profile] [--json FILE]

It starts its own database, and times the ways in alternation, so that other load on the machine
affects all of them. The floor of each row is prepared SQL on the same table, with its indexes and
triggers, but without events, sanitizing and models.
"""

from __future__ import annotations

import argparse
import cProfile
import logging
import pstats
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from dev.bench.database import own_database
from dev.bench.results import Row, compare, write

if TYPE_CHECKING:
    from operations.dispatch import RunRequest
    from tenancy.models import Tenant

BATCH = 1000
#: The runs of the ledger before the first round. Of an empty one, the server would plan to scan it.
LEDGER = 20_000

INSERT = """
INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
    run_identity_hash, context, created_at, updated_at, next_publish_at)
VALUES (%s, %s, 'Bench', %s, 'queued', 'pending', %s, '{"idempotency": {}}', clock_timestamp(),
    clock_timestamp(), clock_timestamp())
"""
CLAIM = """
UPDATE operation_runs SET status = 'running', worker = 'bench', next_publish_at = NULL,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %s AND status = 'queued'
"""
REPORT = """
UPDATE operation_runs SET heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %s AND status = 'running'
"""
COMPLETE = """
UPDATE operation_runs SET status = 'completed', outcome = 'succeeded', next_publish_at = NULL,
    completed_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %s AND status = 'running'
"""
FIND = """
SELECT id FROM operation_runs
WHERE tenant_id = %s AND run_identity_hash = %s AND status IN ('queued', 'running')
"""


class Bench:
    """The ways to be compared, on one database."""

    def __init__(self, url: str) -> None:
        from operations.services import OperationRunService
        from tenancy.models import Tenant, Workspace

        self.raw = psycopg.connect(url, autocommit=True, prepare_threshold=0)
        self.service = OperationRunService()
        self.times: dict[str, list[float]] = defaultdict(list)
        workspace = Workspace.objects.create(name="Bench", slug="bench")
        self.tenant: Tenant = Tenant.objects.create(
            workspace=workspace, name="Bench", external_id=uuid.uuid4()
        )
        with self.raw.cursor() as cursor:
            cursor.executemany(INSERT, [self.raw_row() for _ in range(LEDGER)])
        self.raw.execute("ANALYZE")
        self.first = self.service.ensure_run(self.request("active")).run

    def request(self, key: str) -> RunRequest:
        from operations.dispatch import RunRequest
        from operations.types import OperationRunType

        return RunRequest(
            type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
            workspace=self.tenant.workspace,
            tenant=self.tenant,
            inputs={"bench": key},
        )

    def round(self) -> None:
        """Take each way once, next to its floor."""
        row = self.raw_row()
        self.timed("insert", lambda: self.raw.execute(INSERT, row))
        new = self.timed(
            "dispatch", lambda: self.service.ensure_run(self.request(uuid.uuid4().hex))
        )
        self.timed("get_or_create", lambda: get_or_create(self.request(uuid.uuid4().hex)))
        active = (self.tenant.pk, self.first.run_identity_hash)
        self.timed("select", lambda: self.raw.execute(FIND, active).fetchone())
        self.timed("joined", lambda: self.service.ensure_run(self.request("active")))
        (run_id,) = self.raw.execute(FIND, (self.tenant.pk, row[3])).fetchone() or (0,)
        self.timed("three updates", lambda: self.raw_run(run_id))
        self.timed("claim and complete", lambda: self.claim_and_complete(new.run.pk))
        run = self.service.ensure_run(self.request(uuid.uuid4().hex)).run
        self.timed("execute", lambda: execute(run.pk))

    def batch(self) -> None:
        """Insert a batch of rows in each way."""
        rows = [self.raw_row() for _ in range(BATCH)]
        requests = [self.request(uuid.uuid4().hex) for _ in range(BATCH)]
        with self.raw.cursor() as cursor:
            self.timed("executemany", lambda: cursor.executemany(INSERT, rows))
        self.timed("dispatch_many", lambda: self.service.ensure_runs(requests))

    def raw_run(self, run_id: int) -> None:
        for statement in (CLAIM, REPORT, COMPLETE):
            assert self.raw.execute(statement, [run_id]).rowcount == 1

    def claim_and_complete(self, run_id: int) -> None:
        assert self.service.claim(run_id, "bench")
        self.service.complete(run_id)

    def raw_row(self) -> tuple[Any, ...]:
        request = self.request("")
        return (request.workspace.pk, self.tenant.pk, request.type.value, uuid.uuid4().hex * 2)

    def timed(self, name: str, call: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = call()
        self.times[name].append(time.perf_counter() - started)
        return result

    def rows(self) -> list[Row]:
        return [
            compare(text, self.times[way], self.times[floor], target=target)
            for text, way, floor, target in ROWS
        ]


#: What each row compares: a way, its floor, and the most that it may take as a multiple.
ROWS = (
    ("dispatch, fresh identity / raw INSERT", "dispatch", "insert", 3.0),
    ("Django's get_or_create / raw INSERT", "get_or_create", "insert", None),
    ("dispatch, active identity / raw SELECT", "joined", "select", 6.0),
    (f"dispatch_many of {BATCH} / executemany", "dispatch_many", "executemany", 1.5),
    ("claim and complete / three raw UPDATEs", "claim and complete", "three updates", 2.0),
    ("execute a handler that does nothing / the same", "execute", "three updates", 2.0),
)


def get_or_create(request: RunRequest) -> None:
    """Create a run with Django, without event, message and guards against races."""
    from django.utils import timezone

    from operations.models import OperationRun

    row = request.row()
    identity = {key: row.pop(key) for key in ("workspace_id", "tenant_id", "run_identity_hash")}
    row["next_publish_at"] = timezone.now()
    OperationRun.objects.get_or_create(**identity, status__in=("queued", "running"), defaults=row)


def execute(run_id: int) -> None:
    """Execute a run as a worker does."""
    from operations.testing import override_handler
    from operations.types import OperationRunType
    from operations.worker import execution

    with override_handler(OperationRunType.BACKUP_SCHEDULE_RUN_NOW, lambda run: None):
        assert execution.execute(run_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with own_database() as url:
        rows = measure(url, options.rounds, profile=options.profile)
    write(options.json, rows)


def measure(url: str, rounds: int, *, profile: bool) -> list[Row]:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    logging.disable()
    bench = Bench(url)
    profiler = cProfile.Profile()
    for number in range(rounds):
        if profile and number == 10:
            profiler.enable()
        bench.round()
        if number % 50 == 0:
            bench.batch()
    profiler.disable()
    rows = bench.rows()
    sys.stdout.write("".join(f"{row} ({row.floor_ms * 1e3:.0f} us)\n" for row in rows))
    if profile:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
    return rows


if __name__ == "__main__":
    main()
