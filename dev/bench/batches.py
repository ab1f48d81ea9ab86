"""Measures the writes of ticks and of retention; prints ratios, taken in one run.

    python -m dev.bench.batches [--rounds 5] [--rows 500] [--contents 100000] [--only NAME]
        [--baseline REVISION]

It starts its own servers. With `--baseline`, another revision does the same work in alternation, so
that other load on the machine affects both. Each has a database with its own migrations, because
parts of the work are functions and triggers of the database.
"""

from __future__ import annotations

import argparse
import cProfile
import datetime as dt
import json
import logging
import os
import pstats
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from dev.bench.database import create_database, own_broker, own_database, server_cpu
from dev.bench.revisions import ROOT, Revision, checkout, take

MODULE = "dev.bench.batches"
TENANTS = 50
DAY = dt.timedelta(days=1)
#: Names the time of CPU of a work, which hardly depends on other load on the machine.
CPU = ", CPU"

_INSERT_RUNS = """
INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
    run_identity_hash, context, created_at, updated_at, started_at, heartbeat_at, worker,
    next_publish_at, published_at)
SELECT workspace_id, id, 'Bench', 'backup_schedule.run_now', %(status)s, 'pending',
    encode(sha256(gen_random_uuid()::text::bytea), 'hex'),
    jsonb_build_object('backup_schedule_id', n, 'target_scope', jsonb_build_object(
        'tenant_name', name, 'tenant_external_id', external_id, 'kinds', '["compliance"]'::jsonb),
        'idempotency', jsonb_build_object('backup_schedule_id', n)),
    at, at, CASE WHEN %(status)s = 'running' THEN at END,
    CASE WHEN %(status)s = 'running' THEN at END, 'host:1',
    CASE WHEN %(status)s = 'queued' THEN at END, CASE WHEN %(status)s = 'queued' THEN at END
FROM tenants, generate_series(1, %(rows)s / %(tenants)s) n,
    LATERAL (SELECT clock_timestamp() - interval '10 minutes' AS at) moment
WHERE workspace_id = %(workspace)s
"""
_END_RUNS = """
UPDATE operation_runs SET status = 'completed', outcome = 'cancelled', next_publish_at = NULL,
    completed_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE status <> 'completed'
"""
_INSERT_VERSIONS = """
INSERT INTO policy_versions (workspace_id, content_hash, normalized_hash, payload, size, created_at)
SELECT %(workspace)s, hash, hash, '{}', 2, clock_timestamp()
FROM generate_series(1, %(versions)s) n,
    LATERAL (SELECT encode(sha256((n || gen_random_uuid()::text)::bytea), 'hex') AS hash) content
RETURNING id
"""


class Work:
    """The work of one revision, measured in its process, on a workspace of its process."""

    def __init__(self, rows: int, contents: int, only: str) -> None:
        from django.db import connection

        from tenancy.models import Tenant, Workspace

        self.rows, self.contents = rows, contents
        self.connection = connection
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.workspace = Workspace.objects.create(name=name, slug=name)
        self.tenants = Tenant.objects.bulk_create(
            Tenant(workspace=self.workspace, name=f"{name} {number}", external_id=uuid.uuid4())
            for number in range(TENANTS)
        )
        self.now = dt.datetime.now(dt.UTC).replace(hour=0, minute=30, second=0, microsecond=0)
        self.schedules: dict[str, list[int]] = {}
        self.kept: list[int] = []
        ways = {
            "lost runs": self.lost_runs,
            "lost messages": self.lost_messages,
            "due schedules": self.due_schedules,
            "schedules after an outage": self.late_schedules,
            "expired sets": self.expired_sets,
        }
        self.ways: dict[str, Callable[[], Callable[[], int]]] = {
            name: way for name, way in ways.items() if only in name
        }

    def execute(self, sql: str, **values: Any) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)

    def clear(self) -> None:
        """End all runs, and remove their messages."""
        from celery import current_app

        self.execute(_END_RUNS)
        with current_app.connection_for_write() as broker:
            channel: Any = broker.default_channel
            channel.queue_purge("backup")

    def insert_runs(self, status: str) -> None:
        self.clear()
        self.execute(
            _INSERT_RUNS,
            workspace=self.workspace.pk,
            status=status,
            rows=self.rows,
            tenants=TENANTS,
        )

    def lost_runs(self) -> Callable[[], int]:
        """End lost runs and create their retries."""
        from operations.maintenance import reconciler

        self.insert_runs("running")
        return lambda: reconciler.reconcile()["worker_lost"]

    def lost_messages(self) -> Callable[[], int]:
        """Send the messages of queued runs again."""
        from operations.delivery import relay

        self.insert_runs("queued")
        return lambda: relay.relay_once(self.rows)

    def due_schedules(self) -> Callable[[], int]:
        """Start a run for the slot of each daily schedule."""
        return self.tick("daily", "0 0 * * *", DAY)

    def late_schedules(self) -> Callable[[], int]:
        """Settle seven days of slots of schedules that run every five minutes."""
        return self.tick("frequent", "*/5 * * * *", 7 * DAY)

    def tick(self, name: str, cron: str, pause: dt.timedelta) -> Callable[[], int]:
        from backups import tick

        self.clear()
        if name not in self.schedules:
            self.schedules[name] = self.create_schedules(name, cron)
        # Each round has new slots: one that has a run would not get another.
        before, self.now = self.now, self.now + pause
        self.set_next(self.schedules[name], before, before + dt.timedelta(minutes=5))
        last = self.last_run()

        def run() -> int:
            settled = 0
            while batch := tick.tick(self.now).schedules:
                settled += batch
            assert self.last_run() - last >= self.rows
            return settled

        return run

    def last_run(self) -> int:
        """Return the id of the newest run."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM operation_runs")
            return int(cursor.fetchone()[0])

    def set_next(self, schedules: list[int], settled: dt.datetime, following: dt.datetime) -> None:
        """Set until when schedules are settled, and their next slots."""
        self.execute(
            "UPDATE backup_schedules SET settled_until = %(settled)s, next_run_at = %(next)s"
            " WHERE id = ANY(%(ids)s)",
            settled=settled,
            next=following,
            ids=schedules,
        )

    def create_schedules(self, name: str, cron: str) -> list[int]:
        from django.db import transaction

        from backups.models import BackupSchedule, RevisionReason
        from backups.revisions import record_revisions

        schedules = []
        for number in range(self.rows):
            schedule = BackupSchedule(
                workspace=self.workspace,
                tenant=self.tenants[number % TENANTS],
                name=f"{name} {number}",
                cron=cron,
            )
            schedule.kinds = ["compliance"]
            schedule.start_from(self.now)
            schedule.spread_seconds = 0
            schedules.append(schedule)
        with transaction.atomic():
            stored = BackupSchedule.objects.bulk_create(schedules)
            record_revisions(stored, RevisionReason.CREATED)
        return [schedule.pk for schedule in stored]

    def expired_sets(self) -> Callable[[], int]:
        """Delete a set, in a workspace with many contents, and the contents that only it has."""
        from backups import retention
        from backups.models import BackupItem, BackupSet, SetPurpose

        old, new = (
            BackupSet.objects.create(
                workspace=self.workspace,
                tenant=self.tenants[0],
                kinds=["compliance"],
                purpose=SetPurpose.SELECTION,
                name=f"{uuid.uuid4()}",
            )
            for _ in range(2)
        )
        if not self.kept:
            self.kept = self.insert_versions(self.contents)
            BackupItem.objects.bulk_create(self.items(new, self.kept), batch_size=5000)
            # They are new, and each call checks a part of what is new.
            while self.has_candidates():
                retention.delete_unreferenced_versions(self.workspace.pk)
        versions = self.kept[: self.rows] + self.insert_versions(self.rows // 10)
        BackupItem.objects.bulk_create(self.items(old, versions))
        for each in (old, new):
            self.execute(
                "UPDATE backup_sets SET status = 'complete', listed_kinds = kinds,"
                " item_count = (SELECT count(*) FROM backup_items WHERE set_id = %(set)s),"
                " ended_at = clock_timestamp() WHERE id = %(set)s",
                set=each.pk,
            )

        def run() -> int:
            assert retention.delete_set(old)
            assert retention.delete_unreferenced_versions(self.workspace.pk) == self.rows // 10
            return self.rows

        return run

    def has_candidates(self) -> bool:
        """Whether contents of the workspace wait to be checked; older revisions check all of them."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('policy_version_candidates') IS NULL")
            if cursor.fetchone()[0]:
                return False
            cursor.execute(
                "SELECT EXISTS (SELECT FROM policy_version_candidates WHERE workspace_id = %s)",
                [self.workspace.pk],
            )
            return bool(cursor.fetchone()[0])

    def insert_versions(self, number: int) -> list[int]:
        with self.connection.cursor() as cursor:
            values = {"workspace": self.workspace.pk, "versions": number}
            cursor.execute(_INSERT_VERSIONS, values)
            return [version_id for (version_id,) in cursor.fetchall()]

    def items(self, backup_set: Any, versions: list[int]) -> list[Any]:
        from backups.models import BackupItem

        return [
            BackupItem(
                workspace=self.workspace,
                tenant=self.tenants[0],
                backup_set=backup_set,
                kind="compliance",
                graph_id=f"{number}",
                name="Bench",
                version_id=version_id,
                complete=True,
                captured_at=self.now,
            )
            for number, version_id in enumerate(versions)
        ]

    def facts(self) -> dict[str, tuple[int, int]]:
        """Return the statements of each way, and its rows."""
        from django.test.utils import CaptureQueriesContext

        facts = {}
        for name, way in self.ways.items():
            run = way()
            with CaptureQueriesContext(self.connection) as captured:
                rows = run()
            self.settle()
            facts[name] = (len(captured), rows)
        return facts

    def round(self) -> dict[str, float]:
        """Do each work once; return the seconds, and those of CPU here and in the database."""
        seconds = {}
        for name, way in self.ways.items():
            run = way()
            started, cpu_before = time.perf_counter(), self.cpu()
            rows = run()
            seconds[name] = time.perf_counter() - started
            seconds[f"{name}{CPU}"] = self.cpu() - cpu_before
            assert rows == self.rows, (name, rows)
            self.settle()
        return seconds

    def cpu(self) -> float:
        backend = self.connection.connection.info.backend_pid
        return time.process_time() + server_cpu([backend])

    def settle(self) -> None:
        """Leave nothing to do to the next work."""
        self.clear()
        for schedules in self.schedules.values():
            self.set_next(schedules, self.now, self.now.replace(year=2999))


def serve(rows: int, contents: int, only: str) -> None:
    """Answer each line of the standard input with the facts, a round or a profile, as JSON."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    work = Work(rows, contents, only)
    for line in sys.stdin:
        answer: object = None
        match line.strip():
            case "facts":
                answer = work.facts()
            case "round":
                answer = work.round()
            case "profile":
                for way in work.ways.values():
                    run, profiler = way(), cProfile.Profile()
                    profiler.runcall(run)
                    work.settle()
                    pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(40)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def report(current: Revision, baseline: Revision | None) -> str:
    lines = [f"{'':28} {'a row':>10} {'statements':>11}   / baseline (fastest)"]
    for name, seconds in current.times.items():
        work = name.removesuffix(CPU)
        statements, rows = current.facts[work]
        line = f"{name:28} {median(seconds) / rows * 1e3:7.2f} ms {statements:11}"
        if baseline:
            before = baseline.times[name]
            share, fastest = median(seconds) / median(before), min(seconds) / min(before)
            line += f"   {share:.2f} ({fastest:.2f}); {baseline.facts[work][0]} statements"
        lines.append(line)
    return "\n".join(lines)


def measure(options: argparse.Namespace) -> None:
    environment = {
        "BENCH_ROWS": str(options.rows),
        "BENCH_CONTENTS": str(options.contents),
        "BENCH_ONLY": options.only,
    }
    current = Revision(MODULE, ROOT, environment)
    if options.profile:
        current.ask("profile")
        current.end()
        return
    if not options.baseline:
        take(options.rounds, current, None, report, options.json, target=0.5)
        return
    environment["DATABASE_URL"] = create_database("baseline")
    with checkout(options.baseline, Path(__file__)) as folder:
        baseline = Revision(MODULE, folder, environment)
        take(options.rounds, current, baseline, report, options.json, target=0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument(
        "--contents",
        type=int,
        default=100_000,
        help="of a workspace, that stay: 50 of each of 2,000 tenants",
    )
    parser.add_argument("--only", default="", help="the work whose name contains this text")
    parser.add_argument("--baseline", help="a git revision to compare with")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import django

        django.setup()
        logging.disable()
        rows, contents = (int(os.environ[f"BENCH_{name}"]) for name in ("ROWS", "CONTENTS"))
        serve(rows, contents, os.environ["BENCH_ONLY"])
        return
    with own_database(), own_broker():
        measure(options)


if __name__ == "__main__":
    main()
