"""Transactions that PostgreSQL rolls back in a conflict are retried."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from django.db import OperationalError, connection, transaction
from psycopg.errors import DeadlockDetected, SerializationFailure

from operations import conflicts
from operations.conflicts import is_conflict, retry_on_serialization_failure
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.worker import execution
from operations.worker.active_run import ActiveRun
from tenancy.models import Tenant
from tests.support.concurrency import TIMEOUT_SECONDS, backend_pid, wait_until_blocked
from tests.support.factories.operations import create_queued_run, create_running_run

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
SHORT_PAUSES = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "PAUSES", (0.01, 0.01, 0.01))


def conflict_error(kind: type[Exception]) -> OperationalError:
    error = OperationalError("undone")
    error.__cause__ = kind("undone")
    return error


@SHORT_PAUSES
@pytest.mark.parametrize("kind", [DeadlockDetected, SerializationFailure])
@pytest.mark.parametrize(("fails", "calls"), [(0, 1), (1, 2), (3, 4)])
def test_a_conflict_is_retried_three_times(kind: type[Exception], fails: int, calls: int) -> None:
    calls_made: list[int] = []

    @retry_on_serialization_failure
    def write() -> str:
        calls_made.append(1)
        if len(calls_made) <= fails:
            raise conflict_error(kind)
        return "written"

    assert write() == "written"
    assert len(calls_made) == calls


@SHORT_PAUSES
def test_a_conflict_is_raised_after_three_retries() -> None:
    calls_made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        calls_made.append(1)
        raise conflict_error(DeadlockDetected)

    with pytest.raises(OperationalError) as caught:
        write()

    assert is_conflict(caught.value)
    assert len(calls_made) == 4


@SHORT_PAUSES
def test_another_error_is_not_retried() -> None:
    calls_made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        calls_made.append(1)
        raise OperationalError("the server has gone away")

    with pytest.raises(OperationalError):
        write()
    assert len(calls_made) == 1


@SHORT_PAUSES
def test_nothing_is_retried_inside_a_transaction() -> None:
    calls_made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        calls_made.append(1)
        raise conflict_error(DeadlockDetected)

    with pytest.raises(OperationalError), transaction.atomic():
        write()
    assert len(calls_made) == 1


def test_the_victim_of_a_real_deadlock_is_retried_and_written_once(
    tenant: Tenant, service: OperationRunService
) -> None:
    """Two sessions lock two rows in opposite order; PostgreSQL ends the one with the shorter wait."""
    first, second = create_running_run(tenant, 1), create_running_run(tenant, 2)
    attempts: list[int] = []
    first_is_locked = threading.Event()
    other_pid: Future[int] = Future()

    def lock_in_opposite_order() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")
            update_row(second)
            other_pid.set_result(backend_pid())
            assert first_is_locked.wait(TIMEOUT_SECONDS)
            update_row(first)
        connection.close()

    @retry_on_serialization_failure
    @transaction.atomic
    def report() -> None:
        attempts.append(1)
        service.increment_summary_counts(first.pk, processed=1, succeeded=1)
        if len(attempts) == 1:
            first_is_locked.set()
            wait_until_blocked(other_pid.result(TIMEOUT_SECONDS), by=backend_pid())
        service.increment_summary_counts(second.pk, processed=1, succeeded=1)

    other_session = threading.Thread(target=lock_in_opposite_order)
    other_session.start()
    report()
    other_session.join()

    assert len(attempts) == 2, "no deadlock occurred, so nothing was tested"
    counts = [OperationRun.objects.get(pk=run.pk).counts.succeeded for run in (first, second)]
    assert counts == [1, 1], "an update was lost or applied twice"


def update_row(run: OperationRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET updated_at = now() WHERE id = %s", [run.pk])


def test_a_run_with_endless_conflicts_fails_as_database_conflict(
    tenant: Tenant, use_handler: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def backup(active: ActiveRun) -> None:
        raise conflict_error(DeadlockDetected)

    use_handler(backup)
    run = create_queued_run(tenant)

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == ["database_conflict"]
    assert "undone" not in str(run.failure_summary)
