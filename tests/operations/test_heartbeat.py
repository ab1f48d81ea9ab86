"""The lease of a running run is renewed during its work; work stops before a lost lease ends."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING

import psycopg
import pytest
from django.db import OperationalError, connection, transaction
from psycopg import sql

from operations.maintenance.reconciler import reconcile
from operations.models import OperationRun
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import Ending, RunOutcome
from operations.worker import execution, heartbeat
from operations.worker.active_run import ActiveRun, CancelRequested, LeaseLost
from operations.worker.heartbeat import Heartbeat
from tenancy.models import Tenant, User
from tests.support.factories.operations import create_queued_run, create_running_run, event_kinds
from tests.support.stack import ROOT, database_url, eventually, is_true_once

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def short_heartbeat_interval(settings: Settings) -> None:
    settings.RUN_HEARTBEAT_SECONDS = 0.05


@pytest.fixture
def active(tenant: Tenant, service: OperationRunService) -> ActiveRun:
    return ActiveRun(create_running_run(tenant), service)


def stopped_by(active: ActiveRun, *, within: float = 60) -> type[BaseException] | None:
    """Return the type of exception the next checkpoints raise; None if there is none in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            active.checkpoint()
        except (CancelRequested, LeaseLost) as stop:
            return type(stop)
        time.sleep(0.01)
    return None


def wait_for_heartbeat_threads() -> None:
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join(timeout=60)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _heartbeat_threads_end() -> Iterator[None]:
    yield
    wait_for_heartbeat_threads()


def is_renewed(active: ActiveRun) -> bool:
    """Whether the database has renewed the lease since the run started."""
    run = OperationRun.objects.get(pk=active.id)
    return run.heartbeat_at > active.run.heartbeat_at  # type: ignore[operator]


def test_the_lease_is_renewed_while_the_work_reports_nothing(active: ActiveRun) -> None:
    with Heartbeat(active):
        eventually(lambda: is_renewed(active), what="a renewal")

    assert not OperationRun.objects.get(pk=active.id).lease_expired


def connections() -> set[int]:
    """The process ids of the backends that serve this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend'"
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_a_short_run_opens_no_second_connection(active: ActiveRun, settings: Settings) -> None:
    settings.RUN_HEARTBEAT_SECONDS = 60
    before = connections()

    with Heartbeat(active):
        assert connections() <= before


THREADS = ("heartbeat", "lease guard")


def heartbeat_threads() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name in THREADS)


def test_short_runs_start_one_thread_for_all(active: ActiveRun, settings: Settings) -> None:
    settings.RUN_HEARTBEAT_SECONDS = 60
    started = set()

    for _ in range(100):
        with Heartbeat(active):
            started |= {each for each in threading.enumerate() if each.name in THREADS}
        assert heartbeat_threads() == ["lease guard"]
    assert len(started) == 1


def test_one_process_renews_the_leases_of_several_runs(
    tenant: Tenant, service: OperationRunService
) -> None:
    runs = [ActiveRun(create_running_run(tenant, at), service) for at in range(3)]

    with Heartbeat(runs[0]), Heartbeat(runs[1]):
        expected = ["heartbeat", "heartbeat", "lease guard"]
        eventually(lambda: heartbeat_threads() == expected, what="the threads of two runs")
        with Heartbeat(runs[2]):
            eventually(lambda: all(map(is_renewed, runs)), what="the renewals")


def test_a_run_that_starts_while_the_guard_waits_for_another_is_guarded_in_time(
    tenant: Tenant, service: OperationRunService, settings: Settings, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 60
    settings.RUN_HEARTBEAT_SECONDS = 30
    first, second = (ActiveRun(create_running_run(tenant, at), service) for at in range(2))

    with Heartbeat(first):
        time.sleep(0.1)
        settings.RUN_LEASE_SECONDS = 1
        with Heartbeat(second):
            assert stopped_by(second) is LeaseLost
        assert first._stop is None


def test_a_short_run_wakes_no_thread(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUN_HEARTBEAT_SECONDS = 30
    with Heartbeat(active):
        pass
    guard = heartbeat._lease_guard
    guard._wakeups.put(None)
    eventually(guard._wakeups.empty, what="the guard")
    time.sleep(0.2)  # the guard has seen that no run is left
    wakeups: SimpleQueue[None] = SimpleQueue()
    monkeypatch.setattr(guard, "_wakeups", wakeups)

    with Heartbeat(active):
        assert wakeups.empty()


@pytest.mark.usefixtures("no_database")
def test_a_step_that_fails_is_logged_and_every_run_stays_guarded(
    tenant: Tenant,
    service: OperationRunService,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.RUN_LEASE_SECONDS = 2
    settings.RUN_HEARTBEAT_SECONDS = 0.1
    first, second = (ActiveRun(create_running_run(tenant, at), service) for at in range(2))
    stop, failures = first.stop, [RuntimeError("a defect")]

    def fail_once(exception: BaseException) -> None:
        if failures:
            raise failures.pop()
        stop(exception)  # type: ignore[arg-type]

    monkeypatch.setattr(first, "stop", fail_once)
    with Heartbeat(first), Heartbeat(second):
        eventually(lambda: first._stop and second._stop, what="the stops")

    assert isinstance(first._stop, LeaseLost)
    assert isinstance(second._stop, LeaseLost)
    assert failures == []
    assert f"run {first.id}: a step of the lease guard failed" in caplog.text
    assert heartbeat._lease_guard._thread.is_alive()


def test_a_forked_process_guards_its_own_runs(active: ActiveRun, settings: Settings) -> None:
    """The pool of a worker forks; no thread survives that."""
    settings.RUN_LEASE_SECONDS = 1
    settings.RUN_HEARTBEAT_SECONDS = 30
    with Heartbeat(active):
        child = os.fork()
        if child == 0:
            with Heartbeat(active, hard_stop=lambda: os._exit(7)):
                time.sleep(60)
            os._exit(1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 7


@pytest.mark.direct  # the connections of the server are those of the pooler
def test_the_heartbeat_connection_is_closed_at_the_end(active: ActiveRun) -> None:
    before = connections()

    with Heartbeat(active):
        eventually(lambda: len(connections() - before) == 1, what="the connection")
    wait_for_heartbeat_threads()

    eventually(lambda: connections() <= before, what="the end of the backend")


def test_a_cancel_request_reaches_work_that_reports_nothing(
    active: ActiveRun, operator: User, service: OperationRunService
) -> None:
    with Heartbeat(active):
        service.request_cancel(active.run, by=operator)

        assert stopped_by(active) is CancelRequested


def test_work_stops_when_its_run_was_ended_elsewhere(
    active: ActiveRun, service: OperationRunService
) -> None:
    with Heartbeat(active):
        service.complete(active.id, ending=Ending.ERROR, error=SafeError("lease_lost"))

        assert stopped_by(active) is LeaseLost


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat thread cannot reach the database; the rest of the process can."""

    def fail(service: OperationRunService, run_id: int) -> bool:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(OperationRunService, "heartbeat", fail)


def test_a_worker_that_cannot_renew_stops_before_its_lease_ends(
    tenant: Tenant, service: OperationRunService, settings: Settings, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 1.0

    def stops_in_time(at: int) -> bool:
        active = ActiveRun(create_running_run(tenant, at), service)
        with Heartbeat(active):
            eventually(lambda: active._stop, what="the stop")
            remaining = active.remaining_lease()
        assert isinstance(active._stop, LeaseLost)
        return remaining > 0.1

    assert is_true_once(stops_in_time)


def test_a_worker_continues_after_one_failed_heartbeat(
    active: ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew: Callable[..., bool] = OperationRunService.heartbeat
    beats: list[bool] = []

    def fail_once(service: OperationRunService, run_id: int) -> bool:
        beats.append(True)
        if len(beats) == 1:
            raise OperationalError("the connection was lost")
        return renew(service, run_id)

    monkeypatch.setattr(OperationRunService, "heartbeat", fail_once)

    with Heartbeat(active):
        eventually(lambda: is_renewed(active), what="a renewal")
        assert stopped_by(active, within=0.1) is None

    assert len(beats) > 1


@pytest.mark.direct  # the connections of the server are those of the pooler
def test_a_killed_connection_is_replaced(active: ActiveRun) -> None:
    before = connections()
    with Heartbeat(active):
        (backend,) = eventually(lambda: connections() - before, what="the connection")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [backend])
            cursor.execute("SELECT clock_timestamp()")
            (killed_at,) = cursor.fetchone()
        eventually(
            lambda: OperationRun.objects.get(pk=active.id).heartbeat_at > killed_at,
            what="a renewal through another connection",
        )
        assert stopped_by(active, within=0.1) is None


def test_a_handler_that_reports_nothing_is_cancelled(
    tenant: Tenant, operator: User, service: OperationRunService, use_handler: Callable[..., None]
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(100)
        active.report_success("a")
        service.request_cancel(active.run, by=operator)
        while True:
            active.checkpoint()
            time.sleep(0.01)

    use_handler(backup)
    run = create_queued_run(tenant)

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert (run.counts.total, run.counts.processed) == (100, 1)
    assert event_kinds(run) == ["created", "started", "cancel_requested", "ended"]


# --- a worker whose threads are blocked -----------------------------------------------------------


def test_a_hanging_database_does_not_keep_the_lease_alive(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal waits for a lock without an error; the work is stopped nevertheless."""
    settings.RUN_LEASE_SECONDS = 1.0
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.5)
    is_locked = threading.Event()
    release = threading.Event()

    def lock_row() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM operation_runs WHERE id = %s FOR UPDATE", [active.id])
            is_locked.set()
            release.wait(60)
        connection.close()

    locker = threading.Thread(target=lock_row)
    locker.start()
    is_locked.wait(60)
    try:
        with Heartbeat(active):
            assert stopped_by(active) is LeaseLost
    finally:
        release.set()
        locker.join()


def test_a_worker_that_was_frozen_during_its_claim_does_not_start_the_work(
    tenant: Tenant,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    use_handler: Callable[..., None],
) -> None:
    """The claim succeeded, but its lease ended before the worker received the answer."""
    settings.RUN_LEASE_SECONDS = 1
    claim = OperationRunService.claim

    def claim_and_freeze(service: OperationRunService, run_id: int, worker: str) -> object:
        run = claim(service, run_id, worker)
        time.sleep(1.2)
        assert reconcile() == {"worker_lost": 1}
        return run

    monkeypatch.setattr(OperationRunService, "claim", claim_and_freeze)
    use_handler(lambda active: pytest.fail("the work began"))
    run = create_queued_run(tenant)

    execution.execute(run.pk)

    assert event_kinds(run) == ["created", "started", "ended", "late_write_refused"]
    assert run.retries.count() == 1


def test_a_short_lease_leaves_time_to_work(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 2
    remaining: list[float] = []
    monkeypatch.setattr(active, "stop", lambda _: remaining.append(active.remaining_lease()))

    with Heartbeat(active):
        eventually(lambda: remaining, what="the stop")

    assert remaining[0] <= 0.5


def test_work_without_checkpoints_is_stopped_before_its_lease_ends(
    tenant: Tenant,
    service: OperationRunService,
    settings: Settings,
    no_database: None,
) -> None:
    settings.RUN_LEASE_SECONDS = 1.0

    def is_stopped_in_time(at: int) -> bool:
        active = ActiveRun(create_running_run(tenant, at), service)
        remaining: list[float] = []
        with Heartbeat(active, hard_stop=lambda: remaining.append(active.remaining_lease())):
            eventually(lambda: remaining, what="the end of the process")
        assert isinstance(active._stop, LeaseLost)
        assert len(remaining) == 1
        return 0 < remaining[0] <= 0.125

    assert is_true_once(is_stopped_in_time)


def test_work_that_ends_in_time_is_not_stopped_by_force(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 60
    monkeypatch.setattr(Heartbeat, "_safety", lambda _: (59.5, 0.1))
    hard_stops: list[bool] = []

    with Heartbeat(active, hard_stop=lambda: hard_stops.append(True)) as beat:
        assert stopped_by(active) is LeaseLost
    active.renewed_at -= 60
    beat.step()

    assert beat.due_at == math.inf
    assert hard_stops == []


def test_a_worker_that_reports_needs_no_heartbeat(
    active: ActiveRun, settings: Settings, no_database: None
) -> None:
    """Each report renews the lease, even when the heartbeat thread cannot reach the database."""
    settings.RUN_LEASE_SECONDS = settings.RUN_HEARTBEAT_SECONDS = 60

    with Heartbeat(active) as beat:
        for _ in range(3):
            active.renewed_at -= 50
            active.flush()
            beat.step()
            assert active._stop is None
        active.renewed_at -= 56
        beat.step()

    assert isinstance(active._stop, LeaseLost)


HANGING_WORKER = """
import os, sys, time
import django; django.setup()
from operations.testing import override_handler
from operations.worker import execution, heartbeat
from operations.types import OperationRunType as T

def hang(active):
    active.report_success("first")
    active.flush()
    print("working", flush=True)
    time.sleep(600)

with override_handler(T.BACKUP_SCHEDULE_RUN_NOW, hang):
    execution.execute(int(sys.argv[1]), hard_stop=heartbeat.end_process)
"""


def allow_connections(*, allow: bool) -> None:
    """Allow or refuse new connections to the test database."""
    name = connection.settings_dict["NAME"]
    other_url = database_url().replace(f"/{name}", "/postgres")
    with psycopg.connect(other_url, autocommit=True) as other:
        other.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(name), sql.Literal(allow)
            )
        )


@pytest.mark.integration
@pytest.mark.direct  # a pooler lets the process use the connection that the test keeps
def test_a_process_without_a_database_exits_before_its_lease_ends(tenant: Tenant) -> None:
    assert is_true_once(lambda at: exits_in_time(create_queued_run(tenant, at)))


def exits_in_time(run: OperationRun) -> bool:
    """A real process whose work hangs loses its connections and cannot open new ones."""
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "RUN_LEASE_SECONDS": "8",
        "RUN_HEARTBEAT_SECONDS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING_WORKER, str(run.pk)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "working\n"
    allow_connections(allow=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
    try:
        code = process.wait(timeout=60)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT status, clock_timestamp() - heartbeat_at < interval '8 seconds'"
                " FROM operation_runs WHERE id = %s",
                [run.pk],
            )
            status, is_in_time = cursor.fetchone()
    finally:
        allow_connections(allow=True)
        process.kill()
        process.communicate()

    assert code == heartbeat.LEASE_LOST_EXIT
    assert status == "running"
    return bool(is_in_time)
