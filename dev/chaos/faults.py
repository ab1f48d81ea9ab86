"""What is done to the parts: each fault by name, chosen by a seeded chance."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import redis
from celery import current_app
from django.db import Error, connection

from dev.chaos.load import LONG_PAUSE, World
from dev.chaos.parts import LEASE, QUEUES, Parts, children_of
from operations.delivery.publisher import send_all

#: What is no message at all.
GARBAGE = (
    b"not json",
    b"[]",
    b"{}",
    b'{"body": "W10=", "headers": {"task": "no.such.task"}}',
    b"\x00\xff",
)
#: Seconds for which a server is frozen: a moment, and, in campaigns that are long enough, once for
#: so long that every lease runs out.
MOMENT, LONG = (1.0, 4.0), (LEASE + 4.0, 2.0 * LEASE)
_AT_LONG_WORK = """
SELECT worker FROM operation_runs
WHERE status = 'running' AND (context #>> '{idempotency,pause_ms}')::int >= %s
"""


class Faults:
    """Does one fault after another; `counts` tells how many of each."""

    def __init__(
        self, parts: Parts, world: World, seed: int, only: frozenset[str] = frozenset()
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._parts = parts
        self._world = world
        self._only = only
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._asleep: list[tuple[float, Callable[[], None]]] = []

    def strike(self) -> None:
        """Do one fault."""
        faults = [fault for fault in self._all() if not self._only or fault[0] in self._only]
        weights = [weight for _, weight, _ in faults]
        (name, _, done), *_ = self._chance.choices(faults, weights)
        self._do(name, done)

    def planned(self, *, is_long: bool) -> list[Callable[[], None]]:
        """What no campaign leaves to chance; in a long one also freezes that outlast every lease."""
        doing: list[tuple[str, Callable[[], None]]] = [
            ("garbage in a queue", self._garbage),
            ("worker asked to stop softly", self._stop_softly),
        ]
        if is_long:
            doing += [
                ("database frozen for long", lambda: self._freeze_database(LONG)),
                ("broker frozen for long", lambda: self._freeze_broker(LONG)),
            ]
        return [functools.partial(self._do, *fault) for fault in doing]

    def _do(self, name: str, done: Callable[[], None]) -> None:
        gone = (ProcessLookupError, OSError, Error, psycopg.Error, redis.RedisError)
        with contextlib.suppress(*gone):
            done()
            self.counts[name] += 1

    def wake_due(self, *, everything: bool = False) -> None:
        """Let go on what was stopped for long enough."""
        now = time.monotonic()
        due = [entry for entry in self._asleep if everything or entry[0] <= now]
        self._asleep = [entry for entry in self._asleep if entry not in due]
        for _, wake in due:
            with contextlib.suppress(ProcessLookupError):
                wake()

    def _all(self) -> list[tuple[str, float, Callable[[], None]]]:
        return [
            ("worker killed", 8, lambda: self._end_worker(signal.SIGKILL)),
            ("worker's child killed", 24, self._kill_child),
            ("worker stopped for longer than its lease", 5, lambda: self._freeze_worker(LEASE + 3)),
            ("worker stopped for a moment", 6, lambda: self._freeze_worker(2)),
            ("worker asked to stop", 3, lambda: self._end_worker(signal.SIGTERM)),
            ("worker asked to stop softly", 7, self._stop_softly),
            ("beat killed", 5, self._kill_beat),
            ("broker killed, all lost", 3, self._kill_broker),
            ("broker frozen", 3, lambda: self._freeze_broker(MOMENT)),
            ("broker's connections cut", 8, self._cut_broker),
            ("database sessions ended", 8, self._end_sessions),
            ("database crashed", 2, self._crash_database),
            ("database frozen", 2, lambda: self._freeze_database(MOMENT)),
            ("messages doubled", 14, self._double_messages),
            ("message for an ended run", 10, self._message_for_an_ended_run),
            ("message that makes no sense", 5, self._senseless_message),
            ("garbage in a queue", 5, self._garbage),
            ("schedules set back", 4, self._set_back),
            ("Graph throttles", 5, lambda: self._graph("throttle", retry_after=1, times=3)),
            ("Graph drops connections", 5, lambda: self._graph("drop", method="GET", times=3)),
            ("Graph is down for a moment", 4, lambda: self._graph("server_error", times=3)),
        ]

    # --- workers and beats ------------------------------------------------------------------------

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._chance.choice(self._parts.workers)

    def _end_worker(self, number: signal.Signals) -> None:
        self._parts.end_worker(self._worker(), number)

    def _kill_child(self) -> None:
        if children := children_of(self._worker().pid):
            _signal([self._chance.choice(children)], signal.SIGKILL)

    def _stop_softly(self) -> None:
        """Ask a worker whose work will not be done in the time that a soft stop gives, if there is one."""
        with connection.cursor() as cursor:
            cursor.execute(_AT_LONG_WORK, [LONG_PAUSE])
            pids = {int(worker.rpartition(":")[2]) for (worker,) in cursor.fetchall()}
        busy = [each for each in self._parts.workers if pids & set(children_of(each.pid))]
        self._parts.end_worker(busy[0] if busy else self._worker(), signal.SIGQUIT)

    def _freeze_worker(self, seconds: float) -> None:
        tree = self._parts.tree(self._worker())
        _signal(tree, signal.SIGSTOP)
        self._sleep(seconds, tree)

    def _kill_beat(self) -> None:
        self._chance.choice(self._parts.beats).kill()

    def _sleep(self, seconds: float, tree: list[int]) -> None:
        self._asleep.append((time.monotonic() + seconds, lambda: _signal(tree, signal.SIGCONT)))

    # --- servers ----------------------------------------------------------------------------------

    def _kill_broker(self) -> None:
        server = self._parts.valkey
        assert server.process
        server.process.kill()
        server.process.wait()
        server.stop()
        server.start()

    def _freeze_broker(self, seconds: tuple[float, float]) -> None:
        assert self._parts.valkey.process
        _freeze([self._parts.valkey.process.pid], self._chance.uniform(*seconds))

    def _cut_broker(self) -> None:
        with self._parts.valkey.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _end_sessions(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " ORDER BY random() LIMIT 4) some"
            )

    def _crash_database(self) -> None:
        """Kill one backend: Postgres then drops every session and recovers from its log."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT 1"
            )
            (pid,) = cursor.fetchone() or (0,)
        assert self._parts.postgres.process
        if pid in children_of(self._parts.postgres.process.pid):
            _signal([pid], signal.SIGKILL)

    def _freeze_database(self, seconds: tuple[float, float]) -> None:
        assert self._parts.postgres.process
        main = self._parts.postgres.process.pid
        _freeze([main, *children_of(main)], self._chance.uniform(*seconds))

    # --- messages ---------------------------------------------------------------------------------

    def _double_messages(self) -> None:
        self._send("status IN ('queued', 'running')", times=3)

    def _message_for_an_ended_run(self) -> None:
        self._send("status = 'completed' AND started_at IS NOT NULL", times=2)

    def _send(self, which: str, *, times: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, type FROM operation_runs WHERE {which} ORDER BY id DESC LIMIT 4"  # noqa: S608
            )
            send_all(cursor.fetchall() * times)

    def _queue(self) -> str:
        return self._chance.choice(QUEUES.split(","))

    def _garbage(self) -> None:
        with self._parts.valkey.client() as client:
            client.lpush(self._queue(), *GARBAGE)

    def _senseless_message(self) -> None:
        queue = self._queue()
        if self._chance.random() < 0.5:
            odd: Any = self._chance.choice((10**15, "abc", None, [1], {"a": 1}, -1))
            current_app.send_task(
                "operations.tasks.execute_operation_run", args=[odd], queue=queue, retry=False
            )
        else:
            current_app.send_task("no.such.task", queue=queue, retry=False)

    def _set_back(self) -> None:
        """As after a clock that was wrong: slots that have fired are due once more."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE backup_schedules SET next_run_at = next_run_at - interval '1 minute'"
                " WHERE next_run_at > created_at + interval '1 minute'"
            )

    # --- Microsoft --------------------------------------------------------------------------------

    def _graph(self, name: str, **options: object) -> None:
        tenant = self._chance.choice(self._world.tenants)
        self._parts.graph.control.fault(tenant.external_id, name, **options)


def _signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes; never to a group or to everybody, which 0 and -1 would mean."""
    for pid in (pid for pid in pids if pid > 1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _freeze(pids: list[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)
