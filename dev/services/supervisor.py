"""Supervises the programs of one terminal and stops them in order.

All of it runs in the main thread, because a child's death signal is bound to the thread that
started it. Only the output of the programs is copied in separate threads.
"""

import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

from dev.services.console import Console
from dev.services.processes import STOP_SIGNALS, ServiceError, kill_group, spawn, stop

SELF = "runner"
TICK_SECONDS = 0.1
REMIND_SECONDS = 5
SAME_REQUEST_SECONDS = 1.0
TAIL_LINES = 15
# After more restarts within the period, a program counts as broken.
MAX_RESTARTS = 3
RESTART_PERIOD_SECONDS = 60


class StopRequestedError(Exception):
    """A stop was requested: Ctrl-C, SIGTERM, or a closed terminal."""


class Service(Protocol):
    """A supervised process: an embedded server or a program."""

    process: subprocess.Popen[bytes] | None

    def stop(self, *, grace: float = ...) -> None:
        """Stop it, and kill it after `grace` seconds."""


@dataclass
class Program:
    """A command, how it is stopped and restarted, and the end of its output."""

    name: str
    command: Sequence[str | Path]
    grace: float = 5
    restarts: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    start_times: list[float] = field(default_factory=list)

    def start(self, *, env: Mapping[str, str], cwd: Path, console: Console) -> None:
        """Start the command; its output goes to the console."""
        self.tail.clear()
        self.start_times.append(time.monotonic())
        self.process = spawn(
            with_keeper(self.command), output=subprocess.PIPE, env={**env, **self.env}, cwd=cwd
        )
        threading.Thread(
            target=self._copy_output, args=(self.process, console), daemon=True
        ).start()

    def stop(self, *, grace: float | None = None) -> None:
        """Ask it to stop, and kill it and its children if it does not."""
        if self.process:
            stop(self.process, grace=self.grace if grace is None else grace)

    def may_restart(self) -> bool:
        """Return whether it can be restarted: it is configured so, and has not ended too often."""
        period_start = time.monotonic() - RESTART_PERIOD_SECONDS
        recent = [started_at for started_at in self.start_times if started_at > period_start]
        return self.restarts and len(recent) <= MAX_RESTARTS

    def _copy_output(self, process: subprocess.Popen[bytes], console: Console) -> None:
        assert process.stdout
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self.tail.append(line)
            console.log(self.name, line)


class Supervisor:
    """Starts services, watches them, and stops them in the reverse order."""

    def __init__(self, *, env: Mapping[str, str], cwd: Path, console: Console) -> None:
        self.env = dict(env)
        self.cwd = cwd
        self.console = console
        self.services: dict[str, Service] = {}
        self.reloads = False
        self._stops_requested = 0
        self._last_request = -SAME_REQUEST_SECONDS

    def handle_signals(self) -> None:
        """Stop on the usual signals; on a second one, stop without waiting."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._request_stop)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        # The handler does no more than this, because it may interrupt a print or a lock.
        # A closed terminal sends several signals at once; they count as one request.
        now = time.monotonic()
        if now - self._last_request > SAME_REQUEST_SECONDS:
            self._stops_requested += 1
        self._last_request = now

    def log(self, line: str) -> None:
        """Print a line of the runner."""
        self.console.log(SELF, line)

    def add(self, name: str, service: Service) -> None:
        """Supervise a service that is already running."""
        self.services[name] = service

    def start(self, program: Program) -> None:
        """Start a program and supervise it."""
        program.start(env=self.env, cwd=self.cwd, console=self.console)
        self.services[program.name] = program

    def run(self, program: Program) -> list[str]:
        """Run a program until it ends and return its output.

        Raises:
            ServiceError: it failed.
        """
        lines: list[str] = []
        process = spawn(
            with_keeper(program.command),
            output=subprocess.PIPE,
            env={**self.env, **program.env},
            cwd=self.cwd,
        )

        def collect() -> None:
            assert process.stdout
            lines.extend(raw.decode(errors="replace").rstrip() for raw in process.stdout)

        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                self.pause()
        finally:
            kill_group(process)
        reader.join(timeout=5)
        if process.returncode:
            tail = "\n".join(lines[-TAIL_LINES:])
            raise ServiceError(f"{program.name} failed with code {process.returncode}:\n{tail}")
        return lines

    def wait_until(
        self,
        name: str,
        probe: Callable[[], str],
        *,
        patience: float = 120,
        interval: float = TICK_SECONDS,
    ) -> None:
        """Call `probe` every `interval` seconds until it returns no reason to wait.

        The reason is printed every few seconds.

        Raises:
            ServiceError: there is still a reason after `patience` seconds.
        """
        started_at = reminded_at = time.monotonic()
        while reason := probe():
            now = time.monotonic()
            if now - started_at > patience:
                raise ServiceError(f"{name} was not ready after {patience:.0f} s: {reason}")
            if now - reminded_at > REMIND_SECONDS:
                self.log(f"waiting for {name}: {reason}")
                reminded_at = now
            self.pause(interval)

    def watch(self, changed_programs: Callable[[], Iterable[Program]] = tuple) -> None:
        """Watch until a stop is requested; restart the programs that `changed_programs()` returns."""
        while True:
            self.pause()
            for program in changed_programs():
                self.restart(program)

    def restart(self, program: Program) -> None:
        """Stop a program and start it again."""
        self.log(f"code changed; restarting {program.name}")
        program.stop()
        program.start_times.clear()
        self.start(program)

    def pause(self, seconds: float = TICK_SECONDS) -> None:
        """Wait, and check signals and services meanwhile.

        Raises:
            StopRequestedError: a stop was requested.
            ServiceEndedError: a service ended unexpectedly.
        """
        deadline = time.monotonic() + seconds
        self._check()
        while (remaining := deadline - time.monotonic()) > 0:
            time.sleep(min(remaining, TICK_SECONDS))
            self._check()

    def _check(self) -> None:
        if self._stops_requested:
            raise StopRequestedError
        for name, service in list(self.services.items()):
            if service.process and service.process.poll() is not None:
                self._handle_end(name, service, service.process.returncode)

    def stop_all(self) -> None:
        """Stop every service, the latest first; after a second request, kill the remaining ones."""
        while self.services:
            name, service = self.services.popitem()
            started_at = time.monotonic()
            if self._stops_requested > 1:
                service.stop(grace=0.5)
            else:
                service.stop()
            self.log(f"{name} stopped ({time.monotonic() - started_at:.1f} s)")

    def _handle_end(self, name: str, service: Service, code: int) -> None:
        if isinstance(service, Program):
            if service.process:
                kill_group(service.process)
            if service.may_restart():
                self.log(f"{name} ended with code {code}; restarting it")
                self.start(service)
                return
            if self.reloads:
                self.log(f"{name} ended with code {code}; waiting for the next code change")
                service.process = None
                return
        del self.services[name]
        raise ServiceEndedError(name, code, getattr(service, "tail", ()))


class ServiceEndedError(Exception):
    """A service ended unexpectedly."""

    def __init__(self, name: str, code: int, tail: Iterable[str]) -> None:
        lines = "".join(f"\n    {line}" for line in tail)
        super().__init__(f"{name} ended with code {code}; stopping the others.{lines}")
        self.exit_code = 128 - code if code < 0 else code or 1


def with_keeper(command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command under a keeper, which ends all processes that the command started."""
    return [sys.executable, "-m", "dev.services.keeper", *command]
