"""Measures how many runs a worker executes, as a share of bare Celery; prints ratios of one run.

    python -m dev.bench.throughput [--rounds 5] [--tasks 1000] [--processes 2] [--pooler] [--json FILE]

Every queue executes the same task, which does nothing, with as many processes. Bare Celery records
nothing; the others record each task in the same PostgreSQL. The tasks are sent while the workers
are stopped, and the time is measured from their continuation to the end of the last task, the
queues in alternation. The other queues are installed from pinned packages into a temporary
environment. With `--pooler`, Runledger reaches its database through PgBouncer in transaction mode, and
the others do not.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from dev.bench.results import Row, compare_share, write
from dev.services.pgbouncer import Pgbouncer
from dev.services.postgres import Postgres
from dev.services.processes import spawn, stop
from dev.services.valkey import Valkey

FILE = Path(__file__).with_name("peers.py")
ROOT = FILE.parent.parent.parent
PEERS = (
    "celery[redis]==5.6.3",
    "django==5.2.19",
    "django-celery-results==2.6.0",
    "django-tasks==0.12.0",
    "django-tasks-db==0.13.0",
    "procrastinate[django]==3.10.0",
    "psycopg[binary,pool]==3.3.9",
)
#: The longest time that one round of a queue may take.
PATIENCE = 300
#: The limit of idle transactions, which a pooler leaves to the role.
IDLE_SECONDS = 15
#: Tasks of each queue before the first measurement, so that no table is new.
FIRST_TASKS = 4000
#: Tasks before each measurement.
WARM_UP = 40
#: The characters of a worker's log that are shown if it ends.
LOG_TAIL = 2000
WORKER = "worker --concurrency {processes} --loglevel ERROR --without-gossip --without-mingle"


@dataclass
class Contender:
    """A queue with its stopped workers."""

    name: str
    #: The command of a worker, and how many of them make the wanted number of processes.
    command: list[str]
    workers: int
    #: Sends a number of tasks.
    send: Callable[[int], Any]
    #: Returns how many tasks have not ended.
    count_pending: Callable[[], int]
    environment: dict[str, str]
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, folder: Path) -> None:
        """Start the workers, which log to this folder, let them execute tasks, and stop them."""
        self.log = folder / f"{self.name}.log"
        with self.log.open("ab") as output:
            self.processes = [
                spawn(self.command, output=output.fileno(), cwd=ROOT, env=self.environment)
                for _ in range(self.workers)
            ]
        self._warm_up(FIRST_TASKS)

    def take(self, tasks: int) -> None:
        """Measure one round."""
        # After a long stop, workers first renew their connections.
        self._signal(signal.SIGCONT)
        self._warm_up()
        self.send(tasks)
        before = self._cpu_seconds()
        started = time.perf_counter()
        self._signal(signal.SIGCONT)
        self._wait()
        self.rates.append(tasks / (time.perf_counter() - started))
        self.cpu.append((self._cpu_seconds() - before) / tasks)
        self._signal(signal.SIGSTOP)

    def end(self) -> None:
        """End the workers."""
        for process in self.processes:
            stop(process, signal.SIGKILL, grace=5)

    def _warm_up(self, tasks: int = WARM_UP) -> None:
        """Let the running workers execute tasks, and stop them."""
        self.send(tasks)
        self._wait()
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes:
            os.killpg(process.pid, number)

    def _wait(self) -> None:
        """Wait for the end of all tasks; counting them often would take time from the workers."""
        begun = time.monotonic()
        first = self.count_pending()
        while pending := self.count_pending():
            if any(process.poll() is not None for process in self.processes):
                log = self.log.read_text(errors="replace")[-LOG_TAIL:]
                raise SystemExit(f"{self.name}: a worker has ended.\n{log}")
            taken = time.monotonic() - begun
            if taken > PATIENCE:
                raise SystemExit(f"{self.name}: {pending} tasks have not ended.")
            # Half of the time that they take at the speed so far.
            expected = taken * pending / max(first - pending, 1)
            time.sleep(min(max(expected / 2, 0.005), 0.1))

    def _cpu_seconds(self) -> float:
        """Return the CPU time of the workers; that of the servers does not count."""
        groups = {process.pid for process in self.processes}
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) in groups:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Arena:
    """The servers, the environment of the other queues, and all contenders."""

    def __init__(self, folder: Path, processes: int, *, pooler: bool) -> None:
        self.folder = folder
        self.processes = processes
        self.postgres = Postgres(folder / "postgres").start()
        self.pooler: Pgbouncer | None = None
        if pooler:
            self.postgres.limit_idle_transactions(IDLE_SECONDS)
            self.pooler = Pgbouncer(folder / "pgbouncer", str(self.postgres.sockets)).start()
        self.valkey = Valkey(folder / "valkey").start()
        self.broker = self.valkey.client(1)
        self.postgres.create_database("peers")
        self.connections = {
            name: psycopg.connect(self.postgres.url(name), autocommit=True)
            for name in ("peers", "postgres")
        }

    def prepare_peers(self) -> None:
        """Install the other queues and create their tables."""
        self.python = self.folder / "environment/bin/python"
        uv = [ROOT / ".tools/bin/uv"]
        environment = self.folder / "environment"
        subprocess.run([*uv, "venv", "-q", "--python", sys.executable, environment], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", self.python, *PEERS], check=True)
        info = self.connections["peers"].info
        self.peer_environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FILE.parent),
            "DJANGO_SETTINGS_MODULE": "",
            "PEER_DATABASE": f"dbname=peers user={info.user} host={info.host} port={info.port}",
            "PEER_BROKER": self.valkey.url(1),
        }
        self.run_peer("migrate", "-v0")

    def run_peer(self, *arguments: str) -> None:
        """Run a command of `peers.py`."""
        subprocess.run(
            [self.python, FILE, *arguments], check=True, env=self.peer_environment, cwd=FILE.parent
        )

    def peer(self, name: str, command: str, workers: int, pending: Callable[[], int]) -> Contender:
        arguments = [str(self.python), *shlex.split(command.format(processes=self.processes))]
        return Contender(
            name,
            arguments,
            workers,
            lambda tasks: self.run_peer("enqueue", name, str(tasks)),
            pending,
            self.peer_environment,
        )

    def peers(self) -> list[Contender]:
        """Return the other queues; the first is bare Celery."""
        return [
            self.peer("bare", f"-m celery -A peers:bare {WORKER} -Q bare", 1, self.queued("bare")),
            self.peer(
                "results",
                f"-m celery -A peers:results {WORKER} -Q results",
                1,
                self.unless("django_celery_results_taskresult", "SUCCESS", self.queued("results")),
            ),
            self.peer(
                "procrastinate",
                f"{FILE} procrastinate worker --concurrency 1",
                self.processes,
                self.unless("procrastinate_jobs", "succeeded"),
            ),
            self.peer(
                "tasks",
                f"{FILE} db_worker --no-startup-delay",
                self.processes,
                self.unless("django_tasks_database_dbtaskresult", "SUCCESSFUL"),
            ),
        ]

    def queued(self, queue: str) -> Callable[[], int]:
        """Return a function that counts the messages of a queue."""

        def count() -> int:
            pending: Any = self.broker.llen(queue), self.broker.hlen("unacked")
            return sum(pending)

        return count

    def unless(
        self, table: str, status: str, also: Callable[[], int] = lambda: 0
    ) -> Callable[[], int]:
        """Return a function that counts the rows without a status."""
        count = self.rows("peers", f"{table} WHERE status::text <> '{status}'")
        return lambda: count() + also()

    def rows(self, database: str, condition: str) -> Callable[[], int]:
        """Return a function that counts the rows of a database, `TABLE WHERE …`."""
        sql = f"SELECT count(*) FROM {condition}"  # noqa: S608  # nosec

        def count() -> int:
            row = self.connections[database].execute(sql).fetchone()
            assert row
            return int(row[0])

        return count

    def ledger(self) -> Contender:
        """Return Runledger as it is deployed, with a handler that does nothing."""
        command = (
            f"-m celery -A config {WORKER} -Q default,sync,backup,restore -I dev.bench.throughput"
        )
        arguments = [sys.executable, *shlex.split(command.format(processes=self.processes))]
        pending = self.rows("postgres", "operation_runs WHERE status IN ('queued', 'running')")
        environment = os.environ | {"LEDGER_HANDLER_OF_BENCH": "1", "LOG_LEVEL": "ERROR"}
        return Contender("ledger", arguments, 1, LedgerRequests(), pending, environment)

    def analyze(self) -> None:
        """Let the planner count the tables, as a deployment does every day."""
        for connection in self.connections.values():
            connection.execute("ANALYZE")

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.broker.close()
        self.valkey.stop()
        if self.pooler:
            self.pooler.stop()
        self.postgres.stop()


class LedgerRequests:
    """Dispatches runs as pages and schedules do."""

    def __init__(self) -> None:
        import uuid

        from operations.services import OperationRunService
        from tenancy.models import Tenant, Workspace

        self.service = OperationRunService()
        workspace = Workspace.objects.create(name="Bench", slug="bench")
        self.tenant = Tenant.objects.create(
            workspace=workspace, name="Bench", external_id=uuid.uuid4()
        )
        self.sent = 0

    def __call__(self, tasks: int) -> None:
        from operations.dispatch import RunRequest
        from operations.types import OperationRunType

        self.service.dispatch_many(
            [
                RunRequest(
                    type=OperationRunType.BACKUP_SCHEDULE_RUN_NOW,
                    workspace=self.tenant.workspace,
                    tenant=self.tenant,
                    inputs={"bench": self.sent + number},
                )
                for number in range(tasks)
            ]
        )
        self.sent += tasks


def measure(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arena = Arena(folder, options.processes, pooler=options.pooler)
        contenders: list[Contender] = []
        try:
            arena.prepare_peers()
            os.environ |= {
                "DATABASE_URL": (arena.pooler or arena.postgres).url("postgres"),
                "DATABASE_POOLER": "transaction" if arena.pooler else "",
                "REDIS_URL": arena.valkey.url(),
                "DJANGO_SETTINGS_MODULE": "config.settings.test",
                "AS_OWNER": "1",
            }
            set_up()
            contenders = [*arena.peers(), arena.ledger()]
            for contender in contenders:
                contender.start(folder)
            arena.analyze()
            for _ in range(options.rounds):
                for contender in contenders:
                    contender.take(options.tasks)
        finally:
            for contender in contenders:
                contender.end()
            arena.close()
    sys.stdout.write(report(contenders) + "\n")
    write(options.json, rows(contenders))


def set_up() -> None:
    import logging

    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    logging.disable()


def rows(contenders: list[Contender]) -> list[Row]:
    """Return the share of each queue in the tasks of bare Celery."""
    seconds = {each.name: [1 / rate for rate in each.rates] for each in contenders}
    bare = seconds.pop("bare")
    return [
        compare_share(
            f"{name} / bare Celery", taken, bare, target=0.55 if name == "ledger" else None
        )
        for name, taken in seconds.items()
    ]


def report(contenders: list[Contender]) -> str:
    bare = median(contenders[0].rates)
    return "\n".join(
        f"{each.name:15} {median(each.rates) / bare:5.2f} of bare Celery"
        f"   {median(each.rates):6.0f} a second, {median(each.cpu) * 1e3:5.2f} ms CPU of the worker"
        for each in contenders
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pooler", action="store_true", help="measure Runledger behind PgBouncer")
    parser.add_argument("--json", type=Path)
    measure(parser.parse_args())


if "LEDGER_HANDLER_OF_BENCH" in os.environ:
    # Imported by the worker of the ledger.
    from operations.testing import override_handler
    from operations.types import OperationRunType

    handler = override_handler(OperationRunType.BACKUP_SCHEDULE_RUN_NOW, lambda _run: None)
    handler.__enter__()

if __name__ == "__main__":
    main()
