"""The lease of a running run: renewed while it works, and given up in time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
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
from tests.support.factories.operations import a_queued_run, a_running_run, event_kinds
from tests.support.stack import ROOT, database_url

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_beats(settings: Settings) -> None:
    settings.RUN_HEARTBEAT_SECONDS = 0.05


@pytest.fixture
def active(tenant: Tenant, service: OperationRunService) -> ActiveRun:
    return ActiveRun(a_running_run(tenant), service)


def stopped_by(active: ActiveRun, *, within: float = 5) -> type[BaseException] | None:
    """What the next checkpoints raise, None if nothing for so long."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            active.checkpoint()
        except (CancelRequested, LeaseLost) as stop:
            return type(stop)
        time.sleep(0.01)
    return None


def wait_until_the_threads_are_gone() -> None:
    for thread in threading.enumerate():
        if thread.name in ("heartbeat", "lease guard"):
            thread.join(timeout=5)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    wait_until_the_threads_are_gone()


def test_the_lease_is_renewed_while_the_work_is_silent(active: ActiveRun) -> None:
    with Heartbeat(active):
        time.sleep(0.3)

    run = OperationRun.objects.get(pk=active.id)
    assert run.heartbeat_at > active.run.heartbeat_at  # type: ignore[operator]
    assert not run.lease_expired


def connections() -> set[int]:
    """The backends that serve this database now."""
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


def test_the_heartbeats_connection_is_closed_at_the_end(active: ActiveRun) -> None:
    before = connections()

    with Heartbeat(active):
        time.sleep(0.2)
        assert len(connections() - before) == 1
    wait_until_the_threads_are_gone()

    deadline = time.monotonic() + 5  # a backend takes a moment to end
    while not connections() <= before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert connections() <= before


def test_a_cancellation_reaches_silent_work(
    active: ActiveRun, operator: User, service: OperationRunService
) -> None:
    with Heartbeat(active):
        service.request_cancel(active.run, by=operator)

        assert stopped_by(active) is CancelRequested


def test_work_whose_run_was_ended_by_another_stops(
    active: ActiveRun, service: OperationRunService
) -> None:
    with Heartbeat(active):
        service.complete(active.id, ending=Ending.ERROR, error=SafeError("lease_lost"))

        assert stopped_by(active) is LeaseLost


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread's way to the database is cut; the rest of the process keeps its own."""

    def cut(service: OperationRunService, run_id: int) -> bool:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr(OperationRunService, "heartbeat", cut)


def test_a_worker_that_cannot_renew_stops_before_its_lease_ends(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 1.0
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.5)
    started = time.monotonic()

    with Heartbeat(active):
        stopped = stopped_by(active)

    assert stopped is LeaseLost
    assert time.monotonic() - started < 0.9


def test_a_worker_that_misses_one_beat_goes_on(
    active: ActiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew: Callable[..., bool] = OperationRunService.heartbeat
    beats: list[bool] = []

    def hiccup(service: OperationRunService, run_id: int) -> bool:
        beats.append(True)
        if len(beats) == 1:
            raise OperationalError("the connection was lost")
        return renew(service, run_id)

    monkeypatch.setattr(OperationRunService, "heartbeat", hiccup)

    with Heartbeat(active):
        assert stopped_by(active, within=0.4) is None

    assert len(beats) > 1
    assert OperationRun.objects.get(pk=active.id).heartbeat_at > active.run.heartbeat_at  # type: ignore[operator]


def test_a_killed_connection_is_replaced(active: ActiveRun) -> None:
    before = connections()
    with Heartbeat(active):
        time.sleep(0.2)
        (own,) = connections() - before
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [own])
            cursor.execute("SELECT clock_timestamp()")
            (killed_at,) = cursor.fetchone()
        time.sleep(0.3)

        assert stopped_by(active, within=0.1) is None

    assert OperationRun.objects.get(pk=active.id).heartbeat_at > killed_at


def test_a_silent_handler_is_cancelled_end_to_end(
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
    run = a_queued_run(tenant)

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert (run.counts.total, run.counts.processed) == (100, 1)
    assert event_kinds(run) == ["created", "started", "cancel_requested", "ended"]


# --- a worker that cannot be reached by its own threads ---------------------------------------------


def test_a_hanging_database_does_not_keep_the_lease_alive(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The renewal waits for a lock for ever: no error ever comes, and the work is told all the same."""
    settings.RUN_LEASE_SECONDS = 1.0
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.5)
    held = threading.Event()
    done = threading.Event()

    def hold_the_row() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM operation_runs WHERE id = %s FOR UPDATE", [active.id])
            held.set()
            done.wait(10)
        connection.close()

    holder = threading.Thread(target=hold_the_row)
    holder.start()
    held.wait(5)
    try:
        with Heartbeat(active):
            assert stopped_by(active, within=3) is LeaseLost
    finally:
        done.set()
        holder.join()


def test_a_worker_that_was_frozen_in_its_claim_does_not_touch_its_work(
    tenant: Tenant,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    use_handler: Callable[..., None],
) -> None:
    """The claim went through, and its lease was over before the worker heard of that."""
    settings.RUN_LEASE_SECONDS = 1
    claim = OperationRunService.claim

    def claim_and_freeze(service: OperationRunService, run_id: int, worker: str) -> object:
        claimed = claim(service, run_id, worker)
        time.sleep(1.2)
        assert reconcile() == {"worker_lost": 1}
        return claimed

    monkeypatch.setattr(OperationRunService, "claim", claim_and_freeze)
    use_handler(lambda active: pytest.fail("the work began"))
    run = a_queued_run(tenant)

    execution.execute(run.pk)

    assert event_kinds(run) == ["created", "started", "ended", "late_write_refused"]
    assert run.retries.count() == 1


def test_a_short_lease_leaves_time_to_work(
    active: ActiveRun, settings: Settings, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 2

    with Heartbeat(active):
        time.sleep(1.0)
        assert active._stop is None
        time.sleep(0.9)
        assert isinstance(active._stop, LeaseLost)


def test_work_that_does_not_listen_meets_the_hard_stop_before_its_lease_ends(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 1.0
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.6)
    monkeypatch.setattr(heartbeat, "HARD_SAFETY_SECONDS", 0.3)
    stopped_at: list[float] = []
    started = time.monotonic()

    with Heartbeat(active, hard_stop=lambda: stopped_at.append(time.monotonic() - started)):
        time.sleep(1.2)

    assert len(stopped_at) == 1
    assert 0.5 < stopped_at[0] < 1.0


def test_work_that_ends_in_time_meets_no_hard_stop(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    settings.RUN_LEASE_SECONDS = 0.6
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.4)
    monkeypatch.setattr(heartbeat, "HARD_SAFETY_SECONDS", 0.1)
    stopped: list[bool] = []

    with Heartbeat(active, hard_stop=lambda: stopped.append(True)):
        assert stopped_by(active) is LeaseLost
    wait_until_the_threads_are_gone()
    time.sleep(0.5)

    assert stopped == []


def test_a_worker_that_reports_needs_no_heartbeat(
    active: ActiveRun, settings: Settings, monkeypatch: pytest.MonkeyPatch, no_database: None
) -> None:
    """Each report renews the lease; only the thread's own way to the database is cut."""
    settings.RUN_LEASE_SECONDS = 0.6
    monkeypatch.setattr(heartbeat, "SAFETY_SECONDS", 0.2)

    with Heartbeat(active):
        for _ in range(12):
            active.flush()
            time.sleep(0.1)
        active.checkpoint()


FROZEN = """
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


def let_in(*, connections: bool) -> None:
    """Let the test's database take new connections, or not."""
    name = connection.settings_dict["NAME"]
    elsewhere = database_url().replace(f"/{name}", "/postgres")
    with psycopg.connect(elsewhere, autocommit=True) as other:
        other.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(name), sql.Literal(connections)
            )
        )


@pytest.mark.integration
def test_a_process_whose_database_is_gone_ends_itself_before_others_think_it_dead(
    tenant: Tenant,
) -> None:
    """A real process; its connections are cut and no new ones are let in, while its work hangs."""
    run = a_queued_run(tenant)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "RUN_LEASE_SECONDS": "8",
        "RUN_HEARTBEAT_SECONDS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", FROZEN, str(run.pk)],
        cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == "working\n"
    let_in(connections=False)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database() AND backend_type = 'client backend'"
        )
    try:
        code = process.wait(timeout=30)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT status, clock_timestamp() - heartbeat_at < interval '8 seconds'"
                " FROM operation_runs WHERE id = %s",
                [run.pk],
            )
            found = cursor.fetchone()
    finally:
        let_in(connections=True)
        process.kill()
        process.communicate()

    assert code == heartbeat.LEASE_LOST_EXIT
    assert found == ("running", True), "it ended itself while its lease still held"
