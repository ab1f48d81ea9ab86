"""The faults of a campaign, chosen at random from a seed, and the record of each.

A fault is done when its effect was seen, for example a process that has ended; otherwise it has
failed, and the record says why. Faults of one lane are caused one after another, those of different
lanes at the same time. Servers are restarted in the lane of the main thread: a server ends with the
thread that started it.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from celery import current_app
from django.db import Error, connection, transaction
from kombu.exceptions import OperationalError

from dev.chaos.cluster import DATABASE, QUEUES, Cluster
from dev.chaos.load import LONG_PAUSE, Load, World
from dev.chaos.network import NetworkError
from dev.graph_sandbox.control import SandboxError
from dev.services.processes import ServiceError, children_of
from operations.delivery.publisher import send_all
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.worker.retrying import retry_after_loss

#: Texts that are not valid messages.
GARBAGE = (
    b"not json",
    b"[]",
    b"{}",
    b'{"body": "W10=", "headers": {"task": "no.such.task"}}',
    b"\x00\xff",
)
#: The range of seconds for which a server is frozen or a worker is suspended.
SHORT = (0.5, 2.5)
#: How long a fault waits for a target that is down because of another fault.
PATIENCE = 15.0
#: How long it waits for ticks to run again.
TICK_PATIENCE = 60.0
#: Conditions on the runs whose messages are sent again.
ACTIVE = "status IN ('queued', 'running')"
ENDED = "status = 'completed' AND started_at IS NOT NULL"
#: The task of a message in a queue.
TASK = b"execute_operation_run"
#: Messages of a burst: more than all workers take at once.
BURST = 24
TARGET_ERRORS = (OSError, Error, psycopg.Error, redis.RedisError, OperationalError, NetworkError)
_WORKERS_OF_LONG_RUNS = """
SELECT worker FROM operation_runs
WHERE status = 'running' AND (context #>> '{idempotency,pause_ms}')::int >= %s
"""


class NotDone(Exception):
    """A fault had no effect; the text says why."""


@dataclass(frozen=True)
class Record:
    """One fault. `until` is the end of its effect in seconds since the epoch.

    `subject` is the tenant of a fault of Graph. `error` says why it failed; it is empty if it was
    done.
    """

    kind: str
    group: str
    at: float
    until: float
    subject: str = ""
    error: str = ""


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `group` says what it affects, `needs` the seconds of its campaign.

    `cause` causes it, and returns the seconds for which it lasts, with its subject.
    """

    kind: str
    lane: str
    group: str
    weight: float
    cause: Callable[[], tuple[float, str] | float | None]
    needs: float = 0.0


class Later:
    """Runs functions at a later time, at the latest in `finish`."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._lock = threading.Lock()
        self._count = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="later", daemon=True)
        self._thread.start()

    def call(self, seconds: float, function: Callable[[], object]) -> None:
        with self._lock:
            self._count += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._count, function))

    def finish(self) -> None:
        """Run everything that remains now."""
        self._stopped.set()
        self._thread.join()
        self._run_until(float("inf"))

    def _work(self) -> None:
        while not self._stopped.wait(0.05):
            self._run_until(time.monotonic())

    def _run_until(self, now: float) -> None:
        while True:
            with self._lock:
                if not self._due or self._due[0][0] > now:
                    return
                _, _, function = heapq.heappop(self._due)
            with contextlib.suppress(*TARGET_ERRORS):
                function()


class Faults:
    """Causes faults and records them; with `only`, no others.

    While `ticks_run` is False, no further worker or server is disturbed: the product must recover
    from the faults of that time, and bad luck cannot keep it from ever ticking.
    """

    def __init__(
        self,
        cluster: Cluster,
        world: World,
        load: Load,
        *,
        seed: int,
        duration: float,
        only: frozenset[str] | None = None,
        ticks_run: Callable[[], bool] = lambda: True,
    ) -> None:
        self.records: list[Record] = []
        #: Duplicated and lost messages of runs, and runs that were taken from a live worker.
        self.exercise: Counter[str] = Counter()
        self.taken_ids: set[int] = set()
        self._cluster = cluster
        self._world = world
        self._load = load
        self._ticks_run = ticks_run
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._later = Later()
        self._lock = threading.Lock()
        self._kinds = [
            fault
            for fault in self._all()
            if (fault.kind in only if only is not None else fault.needs <= duration)
        ]
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def kinds(self) -> list[str]:
        """The kinds of this campaign."""
        return [fault.kind for fault in self._kinds]

    @property
    def lanes(self) -> list[str]:
        """The lanes that have a fault, without the one of the main thread."""
        return sorted({fault.lane for fault in self._kinds} - {"servers"})

    def count(self, *, done: bool) -> Counter[str]:
        """Return the number of faults that were done, or that failed, by kind."""
        return Counter(record.kind for record in list(self.records) if done != bool(record.error))

    def start(self, rates: dict[str, float]) -> None:
        """Start a thread for each lane; `rates` has the faults per second of each."""
        for lane in self.lanes:
            thread = threading.Thread(target=self._run_lane, args=[lane, rates[lane]], name=lane)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Cause no more faults, and end those that last."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._later.finish()

    def run_servers(self, rate: float, until: Callable[[], bool]) -> None:
        """Cause the faults of the servers in this thread until `until` returns True."""
        self._run_lane("servers", rate, until)

    def _run_lane(self, lane: str, rate: float, until: Callable[[], bool] | None = None) -> None:
        with self._lock:
            chance = random.Random(self._chance.random())  # noqa: S311 - repeatable
        kinds = [fault for fault in self._kinds if fault.lane == lane]
        first = chance.sample(kinds, len(kinds))
        is_over = until or self._stopped.is_set
        due = time.monotonic()
        while not is_over():
            # A lane that was delayed catches up, but not at once.
            due = max(due + chance.expovariate(rate), time.monotonic() - 1)
            while (wait := due - time.monotonic()) > 0 and not is_over():
                time.sleep(min(wait, 0.1))
            if is_over():
                break
            if first:
                self._cause(first.pop())
            elif kinds:
                (fault,) = chance.choices(kinds, [fault.weight for fault in kinds])
                self._cause(fault)
        connection.close()

    def _wait_for_ticks(self, fault: Fault) -> None:
        """Before a worker or server is disturbed, wait until ticks run, but not forever."""
        deadline = time.monotonic() + TICK_PATIENCE
        while (
            fault.lane in ("workers", "servers")
            and not self._ticks_run()
            and time.monotonic() < deadline
            and not self._stopped.is_set()
        ):
            time.sleep(0.1)

    def _cause(self, fault: Fault) -> None:
        """Cause a fault and record it; if its target is down, try again for a while."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self._wait_for_ticks(fault)
            at, error = time.time(), ""
            lasts: tuple[float, str] | float | None = None
            try:
                lasts = fault.cause()
            except (NotDone, ServiceError, SandboxError) as reason:
                error = str(reason) or type(reason).__name__
            except TARGET_ERRORS as reason:
                connection.close()
                error = f"{type(reason).__name__}: {str(reason).splitlines()[:1]}"
            if not error or time.monotonic() > deadline or self._stopped.is_set():
                break
            time.sleep(0.2)
        seconds, subject = lasts if isinstance(lasts, tuple) else (lasts or 0.0, "")
        until = max(time.time(), at + seconds)
        self.records.append(Record(fault.kind, fault.group, at, until, subject, error[:200]))

    def _all(self) -> list[Fault]:
        workers, servers, messages, graph = "workers", "servers", "messages", "graph"
        lease = self._cluster.lease
        beyond_lease = (lease + 1.5, lease + 4.0)
        return [
            Fault("worker killed", workers, "worker", 4, lambda: self._end_worker(signal.SIGKILL)),
            Fault("worker's child killed", workers, "worker", 22, self._kill_worker_child),
            Fault(
                "worker suspended beyond its lease",
                workers,
                "worker",
                7,
                lambda: self._suspend(beyond_lease),
            ),
            Fault("worker suspended briefly", workers, "worker", 10, lambda: self._suspend(SHORT)),
            Fault("worker asked to stop", workers, "worker", 2, self._stop),
            Fault("worker asked to stop softly", workers, "worker", 3, self._stop_softly),
            Fault("run taken from a live worker", workers, "worker", 14, self._take_run),
            Fault("beat killed", workers, "beat", 4, self._kill_beat),
            Fault("network to database cut", workers, "database", 7, self._link("database", "cut")),
            Fault("network to broker cut", workers, "broker", 7, self._link("broker", "cut")),
            Fault(
                "database refuses a worker",
                workers,
                "database",
                5,
                self._link("database", "refuse", (0.5, lease + 3.0)),
            ),
            Fault(
                "broker refuses a worker",
                workers,
                "broker",
                5,
                self._link("broker", "refuse", (0.5, 5.0)),
            ),
            Fault(
                "network to database silent",
                workers,
                "database",
                6,
                self._link("database", "silence", (1.0, lease + 3.0)),
            ),
            Fault(
                "network to broker silent",
                workers,
                "broker",
                5,
                self._link("broker", "silence", (1.0, 6.0)),
            ),
            Fault(
                "network to database half-open",
                workers,
                "database",
                4,
                self._link("database", "half_open", (2.0, lease + 3.0)),
            ),
            Fault(
                "network to broker half-open",
                workers,
                "broker",
                4,
                self._link("broker", "half_open", (6.0, 12.0)),
            ),
            Fault(
                "network to database slow",
                workers,
                "database",
                3,
                self._link("database", "slow", (1.0, 4.0)),
            ),
            Fault("broker killed, all lost", servers, "broker", 10, self._kill_broker),
            Fault("broker frozen", servers, "broker", 8, lambda: self._freeze_broker(SHORT)),
            Fault(
                "broker frozen beyond the lease",
                servers,
                "broker",
                1,
                lambda: self._freeze_broker(beyond_lease),
                needs=60,
            ),
            Fault("broker fails over", servers, "broker", 8, self._fail_over),
            Fault("broker full", servers, "broker", 6, self._fill_broker),
            Fault("broker's connections ended", servers, "broker", 14, self._end_broker_clients),
            Fault("database sessions ended", servers, "database", 16, self._end_sessions),
            Fault("database crashed", servers, "database", 5, self._crash_database),
            Fault("database restarted", servers, "database", 3, self._restart_database),
            Fault("database frozen", servers, "database", 6, lambda: self._freeze_database(SHORT)),
            Fault(
                "database frozen beyond the lease",
                servers,
                "database",
                1,
                lambda: self._freeze_database(beyond_lease),
                needs=60,
            ),
            Fault("messages doubled", messages, "message", 12, self._double_messages),
            Fault("messages copied in the broker", messages, "message", 10, self._copy_messages),
            Fault("messages lost in the broker", messages, "message", 8, self._lose_messages),
            Fault("queue deleted in the broker", messages, "message", 4, self._delete_queue),
            Fault("message for an ended run", messages, "message", 8, self._repeat_ended),
            Fault("invalid message", messages, "message", 5, self._invalid_message),
            Fault("garbage in a queue", messages, "message", 5, self._garbage),
            Fault(
                "schedules set back",
                messages,
                "schedule",
                4,
                self._set_schedules_back,
                needs=75,
            ),
            Fault(
                "Graph throttles",
                graph,
                "graph",
                5,
                self._graph("throttle", retry_after=1, times=3),
            ),
            Fault(
                "Graph drops connections",
                graph,
                "graph",
                5,
                self._graph("drop", method="GET", times=3),
            ),
            Fault("Graph is down", graph, "graph", 4, self._graph("server_error", times=3)),
            Fault("Graph is slow", graph, "graph", 4, self._graph("slow", ms=1500, times=2)),
            Fault(
                "Graph loses answers to writes",
                graph,
                "graph",
                4,
                self._graph("drop_after_write", method="POST", kind="compliance", times=1),
            ),
        ]

    # --- workers and beats ------------------------------------------------------------------------

    def _worker(self) -> subprocess.Popen[bytes]:
        worker = self._chance.choice(self._cluster.workers)
        if worker.poll() is not None:
            raise NotDone("the worker has ended and was not restarted yet")
        return worker

    def _end_worker(self, number: signal.Signals) -> None:
        worker = self._worker()
        self._cluster.end_worker(worker, number)
        if number == signal.SIGKILL:
            worker.wait(5)

    def _stop(self) -> float:
        self._end_worker(signal.SIGTERM)
        return 5.0

    def _stop_softly(self) -> float:
        """Stop a worker softly; prefer one whose run outlasts the time of a soft shutdown."""
        with connection.cursor() as cursor:
            cursor.execute(_WORKERS_OF_LONG_RUNS, [LONG_PAUSE])
            pids = {int(worker.rpartition(":")[2]) for (worker,) in cursor.fetchall()}
        busy = [each for each in self._cluster.workers if pids & set(children_of(each.pid))]
        self._cluster.end_worker(busy[0] if busy else self._worker(), signal.SIGQUIT)
        return 5.0

    def _kill_worker_child(self) -> None:
        children = children_of(self._worker().pid)
        if not children:
            raise NotDone("the worker has no child")
        pid = self._chance.choice(children)
        _signal([pid], signal.SIGKILL)
        _wait(lambda: _state(pid) in ("", "Z"), f"process {pid} did not end")

    def _suspend(self, seconds: tuple[float, float]) -> float:
        """Suspend a worker and its children."""
        lasts = self._chance.uniform(*seconds)
        pids = self._cluster.tree(self._worker())
        _signal(pids, signal.SIGSTOP)
        self._later.call(lasts, lambda: _signal(pids, signal.SIGCONT))
        _wait(lambda: _state(pids[0]) in ("T", "", "Z"), f"process {pids[0]} was not suspended")
        if _state(pids[0]) != "T":
            raise NotDone("the worker ended at the same time")
        return lasts

    def _take_run(self) -> None:
        """End a run as lost although its worker lives, as a jump of the database's clock does."""
        running = OperationRun.objects.filter(status="running", type="policy.export")
        if not running.exists():
            self._load.dispatch_burst(2, pause_ms=LONG_PAUSE)
            _wait(running.exists, "no export started")
        with transaction.atomic():
            # An export writes again within a second or two, so that its late write is refused.
            run = (
                running.select_for_update(of=("self",), skip_locked=True)
                .with_scope()
                .order_by("-started_at")
                .first()
            )
            if run is None:
                raise NotDone("the export had ended")
            self.taken_ids.add(run.pk)
            error = SafeError("worker_lost", worker=run.worker, seconds=0)
            retry_after_loss(OperationRunService().end_lost_run(run, error=error))

    def _kill_beat(self) -> None:
        beat = self._chance.choice(self._cluster.beats)
        beat.kill()
        beat.wait(5)

    # --- network ----------------------------------------------------------------------------------

    def _link(
        self, target: str, action: str, seconds: tuple[float, float] = (0.0, 0.0)
    ) -> Callable[[], float]:
        """Return a fault of the link between a worker, or the beats, and one server."""

        def cause() -> float:
            names = [str(number) for number in self._cluster.worker_numbers]
            if target == "broker":
                names.append("beats")
            lasts = self._chance.uniform(*seconds)
            for name in self._chance.sample(names, len(names)):
                link = f"{name}-{target}"
                count = self._cluster.network.command(link, action)
                if lasts:
                    self._later.call(
                        lasts, functools.partial(self._cluster.network.command, link, "repair")
                    )
                if count:
                    return lasts
            raise NotDone(f"no link to the {target} had a connection")

        return cause

    # --- broker -----------------------------------------------------------------------------------

    def _kill_broker(self) -> None:
        server = self._cluster.valkey
        assert server.process
        pid = server.process.pid
        server.process.kill()
        server.process.wait()
        server.stop()
        server.start()
        if server.process.pid == pid:
            raise NotDone("the broker was not restarted")

    def _freeze_broker(self, seconds: tuple[float, float]) -> None:
        assert self._cluster.valkey.process
        _freeze([self._cluster.valkey.process.pid], self._chance.uniform(*seconds))

    def _fail_over(self) -> None:
        """Make the broker a read-only replica for a moment, as a failover does."""
        with self._cluster.valkey.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            try:
                time.sleep(self._chance.uniform(0.5, 2.0))
                if client.info("replication")["role"] != "slave":
                    raise NotDone("the broker did not become a replica")
            finally:
                client.execute_command("REPLICAOF", "NO", "ONE")

    def _fill_broker(self) -> None:
        """Make the broker refuse writes because its memory is full."""
        with self._cluster.valkey.client() as client:
            client.config_set("maxmemory", "1")
            try:
                time.sleep(self._chance.uniform(0.3, 1.5))
                with contextlib.suppress(redis.ResponseError):
                    client.set("full", "1")
                    raise NotDone("the broker still accepted a write")
            finally:
                client.config_set("maxmemory", "0")

    def _end_broker_clients(self) -> None:
        with self._cluster.valkey.client() as client:
            ended = client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        if not ended:
            raise NotDone("the broker had no client")

    # --- database ---------------------------------------------------------------------------------

    def _database(self) -> psycopg.Connection[Any]:
        """Open a connection: the last fault has ended those before."""
        url = self._cluster.postgres.url(DATABASE)
        return psycopg.connect(url, autocommit=True, connect_timeout=2)

    def _end_sessions(self) -> None:
        with self._database() as database:
            rows = database.execute(
                "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND backend_type = 'client backend' ORDER BY random() LIMIT 5) some_sessions"
            ).fetchall()
        if not any(is_ended for (is_ended,) in rows):
            raise NotDone("the database had no session")

    def _crash_database(self) -> None:
        """Kill one backend: PostgreSQL then drops every session and recovers from its log."""
        with self._database() as database:
            row = database.execute("SELECT pg_backend_pid(), pg_postmaster_start_time()").fetchone()
            assert row
            assert self._cluster.postgres.process
            # In a user namespace, its ids are the same as here.
            if row[0] not in children_of(self._cluster.postgres.process.pid):
                raise NotDone(f"the backend {row[0]} is no child of the server")
            _signal([row[0]], signal.SIGKILL)
        _wait(lambda: _state(row[0]) == "", f"the backend {row[0]} did not end")
        self._wait_for_database()

    def _restart_database(self) -> None:
        assert self._cluster.postgres.process
        pid = self._cluster.postgres.process.pid
        self._cluster.postgres.stop()
        self._cluster.postgres.start()
        if self._cluster.postgres.process.pid == pid:
            raise NotDone("the database was not restarted")

    def _freeze_database(self, seconds: tuple[float, float]) -> None:
        assert self._cluster.postgres.process
        main = self._cluster.postgres.process.pid
        _freeze([main, *children_of(main)], self._chance.uniform(*seconds))

    def _wait_for_database(self) -> None:
        def answers() -> bool:
            with contextlib.suppress(psycopg.Error):
                self._database().close()
                return True
            return False

        _wait(answers, "the database did not recover", seconds=20)

    # --- messages ---------------------------------------------------------------------------------

    def _double_messages(self) -> None:
        self.exercise["duplicate messages"] += self._send(ACTIVE, times=3)

    def _repeat_ended(self) -> None:
        self.exercise["duplicate messages"] += self._send(ENDED, times=2)

    def _send(self, condition: str, *, times: int) -> int:
        """Send the messages of some runs again; return their number."""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, type FROM operation_runs WHERE {condition} ORDER BY id DESC LIMIT 4"  # noqa: S608
            )
            wakeups = cursor.fetchall() * times
        if not wakeups:
            raise NotDone("there is no such run")
        send_all(wakeups)
        return len(wakeups)

    def _copy_messages(self) -> None:
        """Copy the messages of a queue within the broker."""
        with self._cluster.valkey.client() as client:
            queue, waiting = self._waiting_messages(client)
            client.lpush(queue, *waiting)
        self.exercise["duplicate messages"] += len(waiting)

    def _lose_messages(self) -> None:
        """Remove the messages of runs from a queue."""
        with self._cluster.valkey.client() as client:
            queue, waiting = self._waiting_messages(client)
            lost = sum(int(client.lrem(queue, 1, message)) for message in waiting)
        if not lost:
            raise NotDone("a worker received the messages first")
        self.exercise["lost messages"] += lost

    def _waiting_messages(self, client: redis.Redis) -> tuple[str, list[bytes]]:
        """Return a queue and some of its messages of runs; fill it if all queues are empty."""
        queues = self._chance.sample(QUEUES.split(","), len(QUEUES.split(",")))
        has_filled = False
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            for queue in queues:
                messages: Any = client.lrange(queue, 0, 5)
                if waiting := [message for message in messages if TASK in message]:
                    return queue, waiting
            if not has_filled:
                self._load.dispatch_burst(BURST)
                has_filled = True
            time.sleep(0.01)
        raise NotDone("no message was waiting")

    def _delete_queue(self) -> None:
        """Delete a queue with all its messages."""
        with self._cluster.valkey.client() as client:
            queue, _ = self._waiting_messages(client)
            messages: Any = client.lrange(queue, 0, -1)
            if not client.delete(queue):
                raise NotDone("workers received all messages first")
        self.exercise["lost messages"] += sum(TASK in message for message in messages)

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
        with self._database() as database:
            changed = database.execute(
                "UPDATE backup_schedules SET next_run_at = next_run_at - interval '1 minute',"
                " settled_until = settled_until - interval '1 minute'"
                " WHERE next_run_at > updated_at + interval '1 minute' AND next_run_at > now()"
            ).rowcount
        if not changed:
            raise NotDone("no schedule was old enough")

    # --- Microsoft --------------------------------------------------------------------------------

    def _graph(self, name: str, **options: object) -> Callable[[], tuple[float, str]]:
        def cause() -> tuple[float, str]:
            tenants = self._world.tenants
            if options.get("kind") == "compliance":
                tenants = self._world.restore_tenants
            tenant = self._chance.choice(tenants)
            self._cluster.graph.control.fault(tenant.external_id, name, **options)
            # It lasts until it is used up, which can be any time later.
            return 3600.0, str(tenant.external_id)

        return cause


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to processes; ids 0 and -1 would mean a group or all processes."""
    for pid in (pid for pid in pids if pid > 1):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _state(pid: int) -> str:
    """Return the state of a process as in `ps`; empty if it does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _wait(condition: Callable[[], bool], failure: str, *, seconds: float = 5.0) -> None:
    """Wait for a condition.

    Raises:
        NotDone: it did not become true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NotDone(failure)
        time.sleep(0.02)


def _freeze(pids: list[int], seconds: float) -> None:
    _signal(pids, signal.SIGSTOP)
    try:
        time.sleep(seconds)
        if _state(pids[0]) != "T":
            raise NotDone("the server was not frozen")
    finally:
        _signal(pids, signal.SIGCONT)
