"""Worker and beat processes for the integration tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from config.settings import base
from dev.services.processes import spawn, stop
from operations.models import OperationRun
from operations.states import RunStatus

ROOT = Path(__file__).resolve().parents[2]
#: The characters of each log that a failing test shows.
MAX_SHOWN = 20_000


def database_url() -> str:
    """Return the URL of the test database for another process."""
    config = connection.settings_dict
    user, password = (quote(config[name] or "", safe="") for name in ("USER", "PASSWORD"))
    host = config["HOST"] or ""
    if host.startswith("/"):
        port = f":{config['PORT']}" if config["PORT"] else ""
        return f"postgresql://{user}@{port}/{config['NAME']}?host={host}"
    return f"postgresql://{user}:{password}@{host}:{config['PORT'] or 5432}/{config['NAME']}"


def eventually(
    condition: Callable[[], Any], *, seconds: float = 120, what: str = "the condition"
) -> Any:
    """Wait until the condition is true and return what it returned; fail with `what` otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what} was not true within {seconds} s")


def is_true_once(attempt: Callable[[int], bool]) -> bool:
    """Whether one of up to four attempts succeeds: on a busy machine, some take too long."""
    return any(map(attempt, range(4)))


def wait_for_end(run_id: int, *, seconds: float = 120) -> OperationRun:
    """Wait until a run has ended; return the run."""

    def load_ended_run() -> OperationRun | None:
        return OperationRun.objects.filter(pk=run_id, status=RunStatus.COMPLETED).first()

    run: OperationRun = eventually(load_ended_run, seconds=seconds, what=f"the end of run {run_id}")
    return run


def _is_ready(worker: subprocess.Popen[bytes], log: Path) -> bool:
    output = log.read_bytes()
    assert worker.poll() is None, f"the worker exited during startup:\n{output.decode()[-3000:]}"
    return b" ready." in output


class Stack:
    """The processes of one test; they end with the test."""

    def __init__(self, folder: Path, broker_url: str, **environment: str) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": database_url(),
            "REDIS_URL": broker_url,
            "PUBLISH_WAIT_SECONDS": str(base.PUBLISH_WAIT_SECONDS),
            "TICK_SECONDS": "1",
            "RUN_RELAY_AFTER_SECONDS": "2",
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }

    def start_worker(
        self, *, concurrency: int = 2, output: int | None = None, ready: bool = True
    ) -> subprocess.Popen[bytes]:
        """Start a worker on every queue.

        Wait until it consumes, unless `output` receives its log or `ready` is false.
        """
        log = self.folder / f"worker-{len(self.processes)}.log"
        queues = "ticks,notifications,default,sync,backup,restore"
        flags = ["-c", str(concurrency), "-Q", queues, "--without-gossip", "--without-mingle"]
        process = self._celery(log, "worker", "-l", "INFO", *flags, output=output)
        if ready and output is None:
            eventually(lambda: _is_ready(process, log), what=f"the worker's start ({log})")
        return process

    def start_beat(self) -> subprocess.Popen[bytes]:
        """Start beat with a tick every second."""
        schedule = self.folder / "beat"
        return self._celery(self.folder / "beat.log", "beat", "-l", "INFO", "-s", str(schedule))

    def stop(self) -> None:
        """Kill the remaining processes, the newest first: a worker would wait for its work.

        pytest shows the end of their logs if the test failed.
        """
        for process in reversed(self.processes):
            stop(process, signal.SIGKILL, grace=10)
        for log in self._log_files():
            sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-MAX_SHOWN:]}\n")

    def logs(self) -> str:
        """Return the logs of all processes, for the message of a failing test."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')}" for log in self._log_files()
        )

    def _log_files(self) -> list[Path]:
        return sorted(self.folder.glob("*.log"))

    def _celery(
        self, log: Path, *arguments: str, output: int | None = None
    ) -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            process = spawn(
                [sys.executable, "-m", "celery", "-A", "config", *arguments],
                output=file.fileno() if output is None else output,
                cwd=ROOT,
                env=self.environment,
            )
        self.processes.append(process)
        return process
