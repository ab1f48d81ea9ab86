"""The parts of a campaign as processes: servers, workers, beats; kept alive while it goes on."""

from __future__ import annotations

import contextlib
import os
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

from dev.graph_sandbox.process import SandboxProcess
from dev.services.keys import new_credential_keys, new_secret_key
from dev.services.postgres import Postgres
from dev.services.processes import parent_of, running_processes, spawn, stop
from dev.services.valkey import Valkey

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "chaos"
QUEUES = "default,sync,backup,restore"
#: Slots of a worker; the one of the ticks has one, as everywhere.
SLOTS = 4
#: How wrong the clock of each beat is, in seconds.
CLOCKS = (0, -300, 300, -120, 60)
LEASE = 8
TOLD_TO_END = "killed or asked to stop"
#: What a worker says that Celery ends when a child dies just while it starts, or takes up its broker
#: again: its supervisor starts another, and nothing is lost.
KNOWN_DEFECTS = ("file descriptor is None", "Could not start worker processes")
ENDED_BY_CELERY = "ended by a known defect of Celery"


def children_of(pid: int) -> list[int]:
    """The processes whose parent is this one."""
    return [each for each in running_processes() if parent_of(each) == pid]


class Parts:
    """Everything that a campaign runs against; ends with the `with` block, whatever happens."""

    def __init__(self, *, workers: int, failpoints: str, control: str) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        # Durable: a server that forgets what it has committed keeps nobody's promises.
        self.postgres = Postgres(self._folder / "postgres", durable=True, max_connections=150)
        self.valkey = Valkey(self._folder / "valkey", durable=False)
        self.graph = SandboxProcess(self._folder / "graph")
        self.workers: list[subprocess.Popen[bytes]] = []
        self.beats: list[subprocess.Popen[bytes]] = []
        #: How many workers have been started again, by why the one before had ended.
        self.restarts: Counter[str] = Counter()
        #: The ends of the logs of workers that ended by themselves.
        self.last_words: list[str] = []
        self._told_to_end: set[int] = set()
        self._worker_count = workers
        self._failpoints = failpoints
        self._control = control
        self._tending = threading.Event()
        self._tender = threading.Thread(target=self._tend, daemon=True)
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
        for server in (self.valkey, self.postgres):
            self.wake(server.process)
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
        self.environment = {
            "DJANGO_SETTINGS_MODULE": "dev.chaos.settings",
            "DATABASE_URL": self.postgres.url(DATABASE),
            "REDIS_URL": self.valkey.url(),
            "SECRET_KEY": new_secret_key(),
            "CREDENTIAL_KEYS": new_credential_keys(),
            "GRAPH_SANDBOX_URL": self.graph.url,
            "GRAPH_CA_BUNDLE": str(self.graph.ca),
            "TICK_SECONDS": "1",
            "RUN_LEASE_SECONDS": str(LEASE),
            "RUN_HEARTBEAT_SECONDS": "1",
            "RUN_RELAY_AFTER_SECONDS": "2",
            "WORKER_SOFT_SHUTDOWN_SECONDS": "1",
            "CHAOS_CONTROL": self._control,
        }

    def start_programs(self, *, failpoints_until: float) -> None:
        """Workers and beats; those that end are started again until `stop_programs`."""
        self.environment["RUNLEDGER_FAILPOINTS_UNTIL"] = str(failpoints_until)
        self.workers = [self._worker(number) for number in range(self._worker_count + 1)]
        self.beats = [self._beat(number) for number in range(len(CLOCKS))]
        self._tender.start()

    def stop_programs(self) -> None:
        self._tending.set()
        if self._tender.is_alive():
            self._tender.join()
        for program in [*self.beats, *self.workers]:
            self.wake(program)
            stop(program, signal.SIGKILL, grace=5)
        self.beats, self.workers = [], []

    def end_worker(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
        """Send a signal that ends a worker, now or soon."""
        self._told_to_end.add(worker.pid)
        worker.send_signal(number)

    def ended_by_themselves(self) -> list[str]:
        """The ends of workers that nobody has brought about."""
        expected = (TOLD_TO_END, ENDED_BY_CELERY)
        return [f"{n} {why}" for why, n in self.restarts.items() if why not in expected]

    def failpoints_hit(self) -> int:
        """How many processes have died at a failpoint."""
        return sum(log.read_bytes().count(b"failpoint: ") for log in self._folder.glob("*.log"))

    def logs(self, size: int = 3000) -> str:
        """The ends of what workers and beats have said; the last words of those that ended first."""
        said = [f"--- ended by itself\n{words}" for words in self.last_words]
        said += [
            f"--- {log.name}\n{log.read_text(errors='replace')[-size:]}"
            for log in sorted(self._folder.glob("*.log"))
        ]
        return "\n".join(said)

    def tree(self, program: subprocess.Popen[bytes]) -> list[int]:
        """A program and its children; the children alone would leave it awake."""
        return [program.pid, *children_of(program.pid)]

    def wake(self, program: subprocess.Popen[bytes] | None) -> None:
        """Let a program go on that may have been stopped, with its children."""
        if program and program.poll() is None:
            for pid in self.tree(program):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _tend(self) -> None:
        while not self._tending.wait(0.2):
            for number, worker in enumerate(self.workers):
                if worker.poll() is not None:
                    self.restarts[self._why_ended(worker, number)] += 1
                    self.workers[number] = self._worker(number)
            for number, beat in enumerate(self.beats):
                if beat.poll() is not None:
                    self.beats[number] = self._beat(number)

    def _why_ended(self, worker: subprocess.Popen[bytes], number: int) -> str:
        if worker.pid in self._told_to_end:
            return TOLD_TO_END
        said = (self._folder / f"worker-{number}.log").read_text(errors="replace")[-3000:]
        if any(defect in said for defect in KNOWN_DEFECTS):
            return ENDED_BY_CELERY
        self.last_words.append(said)
        return f"ended by itself with {worker.returncode}"

    def _worker(self, number: int) -> subprocess.Popen[bytes]:
        """A worker; the last one is that of the ticks."""
        is_for_ticks = number == self._worker_count
        queues, slots = ("ticks", 1) if is_for_ticks else (QUEUES, SLOTS)
        flags = [
            *("-c", str(slots), "-Q", queues),
            *("--without-gossip", "--without-mingle", "-l", "WARNING"),
        ]
        command = [sys.executable, "-m", "celery", "-A", "config", "worker", *flags]
        return self._spawn(
            f"worker-{number}", [*command, "-n", f"w{number}-{time.time_ns()}@chaos"]
        )

    def _beat(self, number: int) -> subprocess.Popen[bytes]:
        schedule = str(self._folder / f"beat-{number}")
        command = [sys.executable, "-m", "dev.chaos.beat", str(CLOCKS[number]), "-s", schedule]
        return self._spawn(f"beat-{number}", [*command, "-l", "WARNING"])

    def _spawn(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self.environment}
        if self._failpoints and name.startswith("worker"):
            environment["RUNLEDGER_FAILPOINTS"] = self._failpoints
        with (self._folder / f"{name}.log").open("ab") as log:
            return spawn(command, output=log.fileno(), cwd=ROOT, env=environment)
