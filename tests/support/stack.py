"""Real processes for the integration tests: a worker and beat."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection

from dev.services.processes import spawn, stop

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """The address of the test database, for a process that does not know it is under test."""
    config = connection.settings_dict
    user, password = (quote(config[name] or "", safe="") for name in ("USER", "PASSWORD"))
    host = config["HOST"] or ""
    if host.startswith("/"):
        return f"postgresql://{user}@/{config['NAME']}?host={host}"
    return f"postgresql://{user}:{password}@{host}:{config['PORT'] or 5432}/{config['NAME']}"


def eventually(
    condition: Callable[[], Any], *, seconds: float = 30, what: str = "the condition"
) -> Any:
    """Wait until the condition is true and return what it returned; fail with `what` otherwise."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def _is_ready(worker: subprocess.Popen[bytes], log: Path) -> bool:
    said = log.read_bytes()
    assert worker.poll() is None, f"the worker ended at its start:\n{said.decode()[-3000:]}"
    return b" ready." in said


class Stack:
    """The processes of one test; all of them end with it."""

    def __init__(self, folder: Path, broker_url: str, **environment: str) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DATABASE_URL": database_url(),
            "REDIS_URL": broker_url,
            "TICK_SECONDS": "1",
            "RUN_RELAY_AFTER_SECONDS": "2",
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }

    def worker(self, *, concurrency: int = 2, output: int | None = None) -> subprocess.Popen[bytes]:
        """A worker on every queue, up and consuming; just started if `output` takes its log."""
        log = self.folder / f"worker-{len(self.processes)}.log"
        queues = "ticks,default,sync,backup,restore"
        flags = ["-c", str(concurrency), "-Q", queues, "--without-gossip", "--without-mingle"]
        process = self._celery(log, "worker", "-l", "INFO", *flags, output=output)
        if output is None:
            eventually(lambda: _is_ready(process, log), what=f"the worker's start ({log})")
        return process

    def beat(self) -> subprocess.Popen[bytes]:
        """Beat, ticking every second."""
        schedule = self.folder / "beat"
        return self._celery(self.folder / "beat.log", "beat", "-l", "INFO", "-s", str(schedule))

    def stop(self) -> None:
        """End what is left; the newest first."""
        for process in reversed(self.processes):
            stop(process, grace=10)

    def logs(self) -> str:
        """What the processes said, for the message of a failing test."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')}"
            for log in sorted(self.folder.glob("*.log"))
        )

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
