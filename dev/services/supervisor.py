"""Keeps a set of programs running in one terminal, and ends them in order.

Everything here happens in the main thread (a child's death signal is bound to the thread that
started it); only the copying of output has threads of its own.
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
LAST_WORDS = 15
# Restarts of one program within the period, after which it counts as broken.
RESTARTS = 3
RESTART_PERIOD_SECONDS = 60


class StopRequestedError(Exception):
    """Somebody wants everything to end: Ctrl-C, SIGTERM, a closed terminal."""


class Service(Protocol):
    """Something that was started and can be stopped: an embedded server or a program."""

    process: subprocess.Popen[bytes] | None

    def stop(self, *, grace: float = ...) -> None:
        """Stop it within `grace` seconds, by force in the end."""


@dataclass
class Program:
    """A command of ours, its way to stop, and what it said last."""

    name: str
    command: Sequence[str | Path]
    grace: float = 5
    restarts: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    last_words: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_WORDS))
    started: list[float] = field(default_factory=list)

    def start(self, *, env: Mapping[str, str], cwd: Path, console: Console) -> None:
        """Start the command; its output goes to the console."""
        self.last_words.clear()
        self.started.append(time.monotonic())
        self.process = spawn(
            kept(self.command), output=subprocess.PIPE, env={**env, **self.env}, cwd=cwd
        )
        threading.Thread(
            target=self._copy_output, args=(self.process, console), daemon=True
        ).start()

    def stop(self, *, grace: float | None = None) -> None:
        """Ask it to stop, and kill it and its children if it does not."""
        if self.process:
            stop(self.process, grace=self.grace if grace is None else grace)

    def may_restart(self) -> bool:
        """Whether it is of the kind that is started again, and has not died too often."""
        recent = [t for t in self.started if t > time.monotonic() - RESTART_PERIOD_SECONDS]
        return self.restarts and len(recent) <= RESTARTS

    def _copy_output(self, process: subprocess.Popen[bytes], console: Console) -> None:
        assert process.stdout
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self.last_words.append(line)
            console.say(self.name, line)


class Supervisor:
    """Starts services, watches them, and stops them in the reverse order."""

    def __init__(self, *, env: Mapping[str, str], cwd: Path, console: Console) -> None:
        self.env = dict(env)
        self.cwd = cwd
        self.console = console
        self.services: dict[str, Service] = {}
        self.following_changes = False
        self._stops_requested = 0
        self._last_request = -SAME_REQUEST_SECONDS

    def obey_signals(self) -> None:
        """End on the usual signals; a second one ends without waiting for anybody."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._request_stop)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        # Only this much: the handler may interrupt a print or a lock that is being taken.
        # A closed terminal asks several times at once, by several ways; that is one request.
        now = time.monotonic()
        if now - self._last_request > SAME_REQUEST_SECONDS:
            self._stops_requested += 1
        self._last_request = now

    def say(self, line: str) -> None:
        """Tell the person at the terminal."""
        self.console.say(SELF, line)

    def keep(self, name: str, service: Service) -> None:
        """Watch a service that runs already, and stop it when everything stops."""
        self.services[name] = service

    def start(self, program: Program) -> None:
        """Start a program and keep it."""
        program.start(env=self.env, cwd=self.cwd, console=self.console)
        self.services[program.name] = program

    def run(self, program: Program) -> list[str]:
        """Run a program to its end and return what it printed.

        Raises:
            ServiceError: it failed.
        """
        printed: list[str] = []
        process = spawn(
            kept(program.command),
            output=subprocess.PIPE,
            env={**self.env, **program.env},
            cwd=self.cwd,
        )
        reader = threading.Thread(target=_collect, args=(process, printed.append), daemon=True)
        reader.start()
        try:
            while process.poll() is None:
                self.pause()
        finally:
            kill_group(process)
        reader.join(timeout=5)
        if process.returncode:
            words = "\n".join(printed[-LAST_WORDS:])
            raise ServiceError(f"{program.name} failed with code {process.returncode}:\n{words}")
        return printed

    def wait_until(
        self,
        what: str,
        missing: Callable[[], str],
        *,
        patience: float = 120,
        every: float = TICK_SECONDS,
    ) -> None:
        """Wait until `missing()` has nothing left to say, telling now and then what it says.

        Asks again after `every` seconds.

        Raises:
            ServiceError: it still said something after `patience` seconds.
        """
        began = reminded = time.monotonic()
        while reason := missing():
            now = time.monotonic()
            if now - began > patience:
                raise ServiceError(f"{what} was not ready after {patience:.0f} s: {reason}")
            if now - reminded > REMIND_SECONDS:
                self.say(f"waiting for {what}: {reason}")
                reminded = now
            self.pause(every)

    def watch(self, changes: Callable[[], Iterable[Program]] = tuple) -> None:
        """Stay until it is time to end; restart the programs whose code `changes()` reports."""
        while True:
            self.pause()
            for program in changes():
                self.restart(program)

    def restart(self, program: Program) -> None:
        """Stop a program and start it again."""
        self.say(f"code changed; restarting {program.name}")
        program.stop()
        program.started.clear()
        self.start(program)

    def pause(self, seconds: float = TICK_SECONDS) -> None:
        """Let a moment pass.

        Raises:
            StopRequestedError: somebody asked everything to end.
            ServiceError: a service ended by itself; carries its exit code.
        """
        deadline = time.monotonic() + seconds
        self._look()
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, TICK_SECONDS))
            self._look()

    def _look(self) -> None:
        if self._stops_requested:
            raise StopRequestedError
        for name, service in list(self.services.items()):
            if service.process and service.process.poll() is not None:
                self._deal_with_end(name, service, service.process.returncode)

    def stop_all(self) -> None:
        """Stop every service, the last started first; asked again meanwhile, kill the rest."""
        while self.services:
            name, service = self.services.popitem()
            began = time.monotonic()
            if self._stops_requested > 1:
                service.stop(grace=0.5)
            else:
                service.stop()
            self.say(f"{name} stopped ({time.monotonic() - began:.1f} s)")

    def _deal_with_end(self, name: str, service: Service, code: int) -> None:
        if isinstance(service, Program):
            kill_group_of(service)
            if service.may_restart():
                self.say(f"{name} ended with code {code}; starting another")
                self.start(service)
                return
            if self.following_changes:
                self.say(f"{name} ended with code {code}; waiting for the next change of code")
                service.process = None
                return
        del self.services[name]
        raise ServiceEndedError(name, code, getattr(service, "last_words", ()))


class ServiceEndedError(Exception):
    """A service ended although nobody asked it to."""

    def __init__(self, name: str, code: int, last_words: Iterable[str]) -> None:
        words = "".join(f"\n    {line}" for line in last_words)
        super().__init__(f"{name} ended with code {code}; stopping the rest." + words)
        self.exit_code = 128 - code if code < 0 else code or 1


def kept(command: Sequence[str | Path]) -> list[str | Path]:
    """The command, under a keeper that outlives us if need be, to end all that it started."""
    return [sys.executable, "-m", "dev.services.keeper", *command]


def kill_group_of(program: Program) -> None:
    """Kill what an ended program left behind."""
    if program.process:
        kill_group(program.process)


def _collect(process: subprocess.Popen[bytes], take: Callable[[str], None]) -> None:
    assert process.stdout
    for raw in process.stdout:
        take(raw.decode(errors="replace").rstrip())
