"""Measures what metrics and traces cost; prints ratios to another revision, taken in one run.

    python -m dev.bench.telemetry --baseline REVISION [--rounds 20] [--runs 40]

Three processes dispatch and execute runs that do nothing, in alternation, each with its own database:
the baseline, this code as it is by default, and this code with traces and counted metrics. Their
server does not wait for its disk, so that the shares are larger than those of an installation.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from dev.bench.database import own_broker, own_database, server_cpu
from dev.bench.revisions import ROOT, Revision, checkout

MODULE = "dev.bench.telemetry"
#: The scrapes of which the time is measured, on this many ended runs.
SCRAPES, ENDED_RUNS = 20, 100_000


class Work:
    """Dispatches and executes runs that do nothing."""

    def __init__(self, runs: int) -> None:
        from operations import handlers
        from operations.services import OperationRunService
        from operations.types import OperationRunType
        from tenancy.models import Tenant, Workspace

        self.runs = runs
        self.type = OperationRunType.BACKUP_SCHEDULE_RUN_NOW
        self.service = OperationRunService()
        workspace = Workspace.objects.create(name="Bench", slug=f"bench-{uuid.uuid4().hex[:8]}")
        self.tenant = Tenant.objects.create(
            workspace=workspace, name="Bench", external_id=uuid.uuid4()
        )
        handlers._HANDLERS[self.type] = lambda run: None  # noqa: SLF001

    def round(self) -> dict[str, float]:
        """Return the seconds of a dispatch and of a run, and those of CPU."""
        times = [self._times()]
        ids = self._dispatch()
        times.append(self._times())
        self._execute(ids)
        times.append(self._times())
        return {
            f"{name}{suffix}": (after - before) / self.runs
            for name, *pair in zip(("dispatch", "run"), times, times[1:], strict=False)
            for suffix, before, after in zip(("", " CPU"), *pair, strict=True)
        }

    def _times(self) -> tuple[float, float]:
        """Return the time, and the CPU of this process and of its session of the server."""
        from django.db import connection

        cpu = time.process_time() + server_cpu([connection.connection.info.backend_pid])
        return time.perf_counter(), cpu

    def _dispatch(self) -> list[int]:
        return [
            self.service.dispatch_or_fail(
                self.type,
                workspace=self.tenant.workspace,
                tenant=self.tenant,
                inputs={"bench": uuid.uuid4().hex},
            ).run.pk
            for _ in range(self.runs)
        ]

    def _execute(self, ids: list[int]) -> None:
        from operations.worker import execution

        for run_id in ids:
            assert execution.execute(run_id)
        if "BENCH_COUNT" in os.environ:
            # The share of a tick that counts these runs.
            from operations.metrics.counting import update_metrics

            assert update_metrics() >= self.runs


def scrape() -> dict[str, Any]:
    """Fill a ledger, and return the seconds of each scrape and the size of its answer."""
    from django.db import connection
    from django.test import Client

    from operations.metrics.counting import update_metrics
    from tenancy.models import Tenant

    tenant = Tenant.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status,"
            " outcome, run_identity_hash, started_at, published_at, completed_at)"
            " SELECT %s, %s, 'Bench', 'inventory.sync', 'completed', 'succeeded', encode(sha256(n::text::bytea), 'hex'), now(),"
            " now(), now() FROM generate_series(1, %s) n",
            [tenant.workspace_id, tenant.pk, ENDED_RUNS],
        )
        cursor.execute("ANALYZE")
    started = time.perf_counter()
    counted = 0
    while batch := update_metrics():
        counted += batch
    count_seconds = time.perf_counter() - started
    client, seconds = Client(), []
    for _ in range(SCRAPES):
        started = time.perf_counter()
        response = client.get("/metrics")
        seconds.append(time.perf_counter() - started)
        assert response.status_code == 200
    return {
        "counted": counted,
        "count_seconds": count_seconds,
        "scrape_seconds": median(seconds),
        "bytes": len(response.content),
    }


def serve(runs: int) -> None:
    """Answer each line of the standard input as JSON."""
    work = Work(runs)
    for line in sys.stdin:
        answers = {"facts": dict, "round": work.round, "scrape": scrape}
        sys.stdout.write(json.dumps(answers[line.strip()]()) + "\n")
        sys.stdout.flush()


@contextmanager
def collector() -> Iterator[str]:
    """Run a collector of traces that keeps nothing, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def start(name: str, url: str, folder: Path, runs: int, **environment: str) -> Revision:
    """Create the database of a contender with its own migrations, and start its process."""
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name}")
    values = environment | {
        "DATABASE_URL": url.replace("/postgres?", f"/{name}?"),
        "BENCH_RUNS": str(runs),
        "METRICS_NETWORKS": "127.0.0.0/8",
    }
    return Revision(MODULE, folder, values)


def measure(options: argparse.Namespace, url: str) -> None:
    with collector() as address, checkout(options.baseline, Path(__file__)) as folder:
        baseline = start("baseline", url, folder, options.runs)
        off = start("off", url, ROOT, options.runs)
        on = start(
            "everything_on",
            url,
            ROOT,
            options.runs,
            OTEL_EXPORTER_OTLP_ENDPOINT=address,
            BENCH_COUNT="1",
        )
        for _ in range(options.rounds):
            for revision in (baseline, off, on):
                revision.round()
        for name, before in baseline.times.items():
            line = f"{name:12} {median(before) * 1e3:6.2f} ms"
            for label, revision in (("off", off), ("on", on)):
                seconds = revision.times[name]
                pairs = [after / earlier for after, earlier in zip(seconds, before, strict=True)]
                line += (
                    f"   {label} {median(pairs):.3f} x (fastest {min(seconds) / min(before):.3f})"
                )
            sys.stdout.write(line + "\n")
        sys.stdout.write(f"scrape with {ENDED_RUNS:,} ended runs: {on.ask('scrape')}\n")
        sys.stdout.write(f"load: {os.getloadavg()}\n")
        for revision in (baseline, off, on):
            revision.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--baseline", help="a git revision to compare with")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        import django

        django.setup()
        logging.disable()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        serve(int(os.environ["BENCH_RUNS"]))
        return
    with own_database() as url, own_broker():
        measure(options, url)


if __name__ == "__main__":
    main()
