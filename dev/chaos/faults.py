"""The faults of a campaign, chosen at random from a seed."""

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

from dev.chaos.cluster import LEASE, QUEUES, Cluster, children_of
from dev.chaos.load import LONG_PAUSE, World
from operations.delivery.publisher import send_all

#: Texts that are not valid messages.
GARBAGE = (
    b"not json",
    b"[]",
    b"{}",
    b'{"body": "W10=", "headers": {"task": "no.such.task"}}',
    b"\x00\xff",
)
#: The range of seconds for which a server is frozen. Long campaigns also freeze each server once for
#: so long that every lease ends.
SHORT, LONG = (1.0, 4.0), (LEASE + 4.0, 2.0 * LEASE)
#: Conditions on the runs whose messages are sent again.
ACTIVE = "status IN ('queued', 'running')"
ENDED = "status = 'completed' AND started_at IS NOT NULL"
_WORKERS_OF_LONG_RUNS = """
SELECT worker FROM operation_runs
WHERE status = 'running' AND (context #>> '{idempotency,pause_ms}')::int >= %s
"""


class Faults:
    """Injects faults and counts them; with `only`, no others."""

    def __init__(
        self, cluster: Cluster, world: World, seed: int, only: frozenset[str] = frozenset()
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._cluster = cluster
        self._world = world
        self._only = only
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._frozen: list[tuple[float, list[int]]] = []

    def inject(self) -> None:
        """Inject one random fault."""
        faults = [fault for fault in self._all() if not self._only or fault[0] in self._only]
        weights = [weight for _, weight, _ in faults]
        (name, _, fault), *_ = self._chance.choices(faults, weights)
        self._inject(name, fault)

    def planned(self, *, is_long: bool) -> list[Callable[[], None]]:
        """Return the faults of every campaign; a long one has freezes that outlast every lease."""
        faults: list[tuple[str, Callable[[], None]]] = [
            ("garbage in a queue", self._garbage),
            ("worker asked to stop softly", self._stop_softly),
        ]
        if is_long:
            faults += [
                ("database frozen for long", lambda: self._freeze_database(LONG)),
                ("broker frozen for long", lambda: self._freeze_broker(LONG)),
            ]
        return [functools.partial(self._inject, *fault) for fault in faults]

    def _inject(self, name: str, fault: Callable[[], None]) -> None:
        """Inject a fault; it has no effect while its target is down."""
        target_errors = (ProcessLookupError, OSError, Error, psycopg.Error, redis.RedisError)
        with contextlib.suppress(*target_errors):
            fault()
            self.counts[name] += 1

    def resume_due(self, *, everything: bool = False) -> None:
        """Resume the workers that were frozen for long enough."""
        now = time.monotonic()
        due = [entry for entry in self._frozen if everything or entry[0] <= now]
        self._frozen = [entry for entry in self._frozen if entry not in due]
        for _, pids in due:
            _signal(pids, signal.SIGCONT)

    def _all(self) -> list[tuple[str, float, Callable[[], None]]]:
        return [
            ("worker killed", 8, lambda: self._end_worker(signal.SIGKILL)),
            ("worker's child killed", 24, self._kill_worker_child),
            ("worker stopped for longer than its lease", 5, lambda: self._freeze_worker(LEASE + 3)),
            ("worker stopped for a moment", 6, lambda: self._freeze_worker(2)),
            ("worker asked to stop", 3, lambda: self._end_worker(signal.SIGTERM)),
            ("worker asked to stop softly", 7, self._stop_softly),
            ("beat killed", 5, lambda: self._chance.choice(self._cluster.beats).kill()),
            ("broker killed, all lost", 3, self._kill_broker),
            ("broker frozen", 3, lambda: self._freeze_broker(SHORT)),
            ("broker's connections cut", 8, self._cut_broker_connections),
            ("database sessions ended", 8, self._end_sessions),
            ("database crashed", 2, self._crash_database),
            ("database frozen", 2, lambda: self._freeze_database(SHORT)),
            ("messages doubled", 14, lambda: self._send(ACTIVE, times=3)),
            ("message for an ended run", 10, lambda: self._send(ENDED, times=2)),
            ("invalid message", 5, self._invalid_message),
            ("garbage in a queue", 5, self._garbage),
            ("schedules set back", 4, self._set_schedules_back),
            ("Graph throttles", 5, lambda: self._graph("throttle", retry_after=1, times=3)),
            ("Graph drops connections", 5, lambda: self._graph("drop", method="GET", times=3)),
            ("Graph is down for a moment", 4, lambda: self._graph("server_error", times=3)),
        ]

    # --- workers and beats ------------------------------------------------------------------------

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._chance.choice(self._cluster.workers)

    def _end_worker(self, number: signal.Signals) -> None:
        self._cluster.end_worker(self._worker(), number)

    def _kill_worker_child(self) -> None:
        if children := children_of(self._worker().pid):
            _signal([self._chance.choice(children)], signal.SIGKILL)

    def _stop_softly(self) -> None:
        """Stop a worker softly; prefer one whose run outlasts the time of a soft shutdown."""
        with connection.cursor() as cursor:
            cursor.execute(_WORKERS_OF_LONG_RUNS, [LONG_PAUSE])
            pids = {int(worker.rpartition(":")[2]) for (worker,) in cursor.fetchall()}
        busy = [each for each in self._cluster.workers if pids & set(children_of(each.pid))]
        self._cluster.end_worker(busy[0] if busy else self._worker(), signal.SIGQUIT)

    def _freeze_worker(self, seconds: float) -> None:
        pids = self._cluster.tree(self._worker())
        _signal(pids, signal.SIGSTOP)
        self._frozen.append((time.monotonic() + seconds, pids))

    # --- servers ----------------------------------------------------------------------------------

    def _kill_broker(self) -> None:
        server = self._cluster.valkey
        assert server.process
        server.process.kill()
        server.process.wait()
        server.stop()
        server.start()

    def _freeze_broker(self, seconds: tuple[float, float]) -> None:
        assert self._cluster.valkey.process
        _freeze([self._cluster.valkey.process.pid], self._chance.uniform(*seconds))

    def _cut_broker_connections(self) -> None:
        with self._cluster.valkey.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _end_sessions(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " ORDER BY random() LIMIT 4) some"
            )

    def _crash_database(self) -> None:
        """Kill one backend: PostgreSQL then drops every session and recovers from its log."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT 1"
            )
            (pid,) = cursor.fetchone() or (0,)
        assert self._cluster.postgres.process
        if pid in children_of(self._cluster.postgres.process.pid):
            _signal([pid], signal.SIGKILL)

    def _freeze_database(self, seconds: tuple[float, float]) -> None:
        assert self._cluster.postgres.process
        main = self._cluster.postgres.process.pid
        _freeze([main, *children_of(main)], self._chance.uniform(*seconds))

    # --- messages ---------------------------------------------------------------------------------

    def _send(self, condition: str, *, times: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, type FROM operation_runs WHERE {condition} ORDER BY id DESC LIMIT 4"  # noqa: S608
            )
            send_all(cursor.fetchall() * times)

    def _queue(self) -> str:
        return self._chance.choice(QUEUES.split(","))

    def _garbage(self) -> None:
        with self._cluster.valkey.client() as client:
            client.lpush(self._queue(), *GARBAGE)

    def _invalid_message(self) -> None:
        queue = self._queue()
        if self._chance.random() < 0.5:
            run_id: Any = self._chance.choice((10**15, "abc", None, [1], {"a": 1}, -1))
            current_app.send_task(
                "operations.tasks.execute_operation_run", args=[run_id], queue=queue, retry=False
            )
        else:
            current_app.send_task("no.such.task", queue=queue, retry=False)

    def _set_schedules_back(self) -> None:
        """Make started slots due again, as a wrong clock can."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE backup_schedules SET next_run_at = next_run_at - interval '1 minute',"
                " settled_until = settled_until - interval '1 minute'"
                " WHERE next_run_at > created_at + interval '1 minute'"
            )

    # --- Microsoft --------------------------------------------------------------------------------

    def _graph(self, name: str, **options: object) -> None:
        tenant = self._chance.choice(self._world.tenants)
        self._cluster.graph.control.fault(tenant.external_id, name, **options)


def _signal(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes; ids 0 and -1 would mean a group or all processes."""
    for pid in (pid for pid in pids if pid > 1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _freeze(pids: list[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        _signal(pids, signal.SIGCONT)
