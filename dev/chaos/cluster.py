"""The processes of a campaign: servers, workers and beats, restarted whenever one ends."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.chaos.network import Network
from dev.graph_sandbox.process import SandboxProcess
from dev.services.keys import new_credential_keys, new_secret_key
from dev.services.postgres import SUPERUSER, Postgres
from dev.services.processes import children_of, spawn, stop
from dev.services.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "chaos"
DATABASE_SOCKET = ".s.PGSQL.5432"
QUEUES = "notifications,default,sync,backup,restore"
#: Slots of a worker; the worker of the `ticks` queue has one.
SLOTS = 4
#: The offsets of the beats' clocks in seconds; each start of a beat takes the next one.
CLOCK_OFFSETS = (0, -300, 300, -120, 60)
BEATS = 3
#: Seconds of a lease, so short that many end; a busy machine needs more.
LEASE = 5
#: Seconds after which a run that does not stop when asked is ended.
CANCEL = 4
STOPPED = "killed or asked to stop"
#: Celery logs these when a child dies while it starts or reconnects to the broker. The worker ends,
#: its supervisor starts another, and nothing is lost.
KNOWN_DEFECTS = ("file descriptor is None", "Could not start worker processes")
ENDED_BY_CELERY = "ended by a known defect of Celery"


class Cluster:
    """All processes of a campaign; they end with the `with` block."""

    def __init__(self, *, workers: int, lease: int, failpoints: str, control: str) -> None:
        self.lease = lease
        self._offsets = itertools.cycle(CLOCK_OFFSETS)
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        # Durable, because it is crashed and must not lose committed rows.
        self.postgres = Postgres(self._folder / "postgres", durable=True, max_connections=150)
        self.valkey = Valkey(self._folder / "valkey", durable=False)
        self.graph = SandboxProcess(self._folder / "graph")
        self.worker_numbers = range(workers + 1)
        self.network = self._build_network()
        self.workers: list[subprocess.Popen[bytes]] = []
        self.beats: list[subprocess.Popen[bytes]] = []
        #: The number of restarts, by the cause of the end before.
        self.restarts: Counter[str] = Counter()
        #: The log tails of workers that ended unexpectedly.
        self.log_tails: list[str] = []
        self._stopped_pids: set[int] = set()
        self._worker_count = workers
        self._failpoints = failpoints
        self._control = control
        self._is_stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._start_servers()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_programs()
        self.graph.stop()
        self.network.stop()
        for server in (self.valkey, self.postgres):
            self.resume(server.process)
            with contextlib.suppress(Exception):
                server.stop()
        self.postgres.remove()
        self.valkey.remove()
        self._stack.close()

    def _start_servers(self) -> None:
        self.postgres.start()
        self.postgres.create_database(DATABASE)
        self.valkey.start()
        folder = self._folder / "graph"
        folder.mkdir()
        self.graph.start()
        self.network.start()
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "dev.chaos.settings",
            "DATABASE_URL": self.postgres.url(DATABASE),
            "REDIS_URL": self.valkey.url(),
            "SECRET_KEY": new_secret_key(),
            "CREDENTIAL_KEYS": new_credential_keys(),
            "GRAPH_SANDBOX_URL": self.graph.url,
            "GRAPH_CA_BUNDLE": str(self.graph.ca),
            "TICK_SECONDS": "1",
            "RUN_LEASE_SECONDS": str(self.lease),
            "RUN_HEARTBEAT_SECONDS": "1",
            "RUN_CANCEL_SECONDS": str(CANCEL),
            "RUN_RELAY_AFTER_SECONDS": "2",
            "WORKER_SOFT_SHUTDOWN_SECONDS": "1",
            "CHAOS_CONTROL": self._control,
        }

    def _build_network(self) -> Network:
        """A link of each worker to the database and to the broker, and one of the beats."""
        # Paths of Unix sockets must be short.
        folder = Path(tempfile.mkdtemp(prefix="runledger-net-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        self._net = folder
        database = self.postgres.sockets / DATABASE_SOCKET
        links = {"beats-broker": (folder / "beats.sock", self.valkey.socket)}
        for number in self.worker_numbers:
            (folder / f"w{number}").mkdir()
            links[f"{number}-database"] = (folder / f"w{number}" / DATABASE_SOCKET, database)
            links[f"{number}-broker"] = (folder / f"w{number}" / "b.sock", self.valkey.socket)
        return Network(folder, links)

    def start_programs(self, *, failpoints_until: float) -> None:
        """Start workers and beats; those that end are restarted until `stop_programs`."""
        self.environment["RUNLEDGER_FAILPOINTS_UNTIL"] = str(failpoints_until)
        self.workers = [self._start_worker(number) for number in range(self._worker_count + 1)]
        self.beats = [self._start_beat(number) for number in range(BEATS)]
        self._supervisor.start()

    def stop_programs(self) -> None:
        self._is_stopping.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for program in [*self.beats, *self.workers]:
            self.resume(program)
            stop(program, signal.SIGKILL, grace=5)
        self.beats, self.workers = [], []

    def end_worker(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Send a signal that ends a worker, now or soon."""
        self._stopped_pids.add(worker.pid)
        worker.send_signal(number)

    def unexpected_ends(self) -> list[str]:
        """Return the ends of workers that no fault caused."""
        expected = (STOPPED, ENDED_BY_CELERY)
        return [f"{n} {cause}" for cause, n in self.restarts.items() if cause not in expected]

    def failpoints_hit(self) -> int:
        """Return how many processes exited at a failpoint."""
        return sum(log.read_bytes().count(b"failpoint: ") for log in self._folder.glob("*.log"))

    def logs(self, size: int = 3000) -> str:
        """Return the log tails of all programs, after those of workers that ended unexpectedly."""
        tails = [f"--- ended unexpectedly\n{tail}" for tail in self.log_tails]
        tails += [
            f"--- {log.name}\n{log.read_text(errors='replace')[-size:]}"
            for log in sorted(self._folder.glob("*.log"))
        ]
        return "\n".join(tails)

    def tree(self, program: subprocess.Popen[bytes]) -> list[int]:
        """Return the ids of a program and its children."""
        return [program.pid, *children_of(program.pid)]

    def resume(self, program: subprocess.Popen[bytes] | None) -> None:
        """Resume a program and its children if they were frozen."""
        if program and program.poll() is None:
            for pid in self.tree(program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _supervise(self) -> None:
        while not self._is_stopping.wait(0.2):
            for number, worker in enumerate(self.workers):
                if worker.poll() is not None:
                    self.restarts[self._cause_of_end(worker, number)] += 1
                    self.workers[number] = self._start_worker(number)
            for number, beat in enumerate(self.beats):
                if beat.poll() is not None:
                    self.beats[number] = self._start_beat(number)

    def _cause_of_end(self, worker: subprocess.Popen[bytes], number: int) -> str:
        if worker.pid in self._stopped_pids:
            return STOPPED
        tail = (self._folder / f"worker-{number}.log").read_text(errors="replace")[-3000:]
        if any(defect in tail for defect in KNOWN_DEFECTS):
            return ENDED_BY_CELERY
        self.log_tails.append(tail)
        return f"ended unexpectedly with {worker.returncode}"

    def _start_worker(self, number: int) -> subprocess.Popen[bytes]:
        """Start a worker; the last one is for the `ticks` queue."""
        queues, slots = QUEUES, SLOTS
        if number == self._worker_count:
            queues, slots = "ticks", 1
        flags = [
            *("-c", str(slots), "-Q", queues),
            *("--without-gossip", "--without-mingle", "-l", "WARNING"),
        ]
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", *flags]
        links = self._net / f"w{number}"
        return self._spawn(
            f"worker-{number}",
            [*command, "-n", f"w{number}-{time.time_ns()}@chaos"],
            DATABASE_URL=f"postgresql://{SUPERUSER}@/{DATABASE}?host={links}",
            REDIS_URL=f"redis+socket://{links / 'b.sock'}?virtual_host=0",
        )

    def _start_beat(self, number: int) -> subprocess.Popen[bytes]:
        schedule = str(self._folder / f"beat-{number}")
        command = [
            sys.executable,
            "-m",
            "dev.chaos.beat",
            str(next(self._offsets)),
            "-s",
            schedule,
        ]
        broker = f"redis+socket://{self._net / 'beats.sock'}?virtual_host=0"
        return self._spawn(f"beat-{number}", [*command, "-l", "WARNING"], REDIS_URL=broker)

    def _spawn(
        self, name: str, command: list[str], **environment_changes: str
    ) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self.environment, **environment_changes}
        if self._failpoints and name.startswith("worker"):
            environment["RUNLEDGER_FAILPOINTS"] = self._failpoints
        with (self._folder / f"{name}.log").open("ab") as log:
            return spawn(command, output=log.fileno(), cwd=ROOT, env=environment)
