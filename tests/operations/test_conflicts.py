"""What Postgres undoes for another's sake is done again; and if that goes on, it is told."""

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
QUICKLY = pytest.mark.usefixtures("short_pauses")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "PAUSES", (0.01, 0.01, 0.01))


def lost_to(kind: type[Exception]) -> OperationalError:
    error = OperationalError("undone")
    error.__cause__ = kind("undone")
    return error


@QUICKLY
@pytest.mark.parametrize("kind", [DeadlockDetected, SerializationFailure])
@pytest.mark.parametrize(("fails", "calls"), [(0, 1), (1, 2), (3, 4)])
def test_a_conflict_is_tried_again_three_times(
    kind: type[Exception], fails: int, calls: int
) -> None:
    made: list[int] = []

    @retry_on_serialization_failure
    def write() -> str:
        made.append(1)
        if len(made) <= fails:
            raise lost_to(kind)
        return "written"

    assert write() == "written"
    assert len(made) == calls


@QUICKLY
def test_after_three_times_the_conflict_is_the_callers() -> None:
    made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        made.append(1)
        raise lost_to(DeadlockDetected)

    with pytest.raises(OperationalError) as caught:
        write()

    assert is_conflict(caught.value)
    assert len(made) == 4


@QUICKLY
def test_another_error_is_not_tried_again() -> None:
    made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        made.append(1)
        raise OperationalError("the server has gone away")

    with pytest.raises(OperationalError):
        write()
    assert len(made) == 1


@QUICKLY
def test_inside_a_transaction_nothing_is_tried_again() -> None:
    made: list[int] = []

    @retry_on_serialization_failure
    def write() -> None:
        made.append(1)
        raise lost_to(DeadlockDetected)

    with pytest.raises(OperationalError), transaction.atomic():
        write()
    assert len(made) == 1


def test_a_report_that_is_the_victim_of_a_real_deadlock_is_written_all_the_same(
    tenant: Tenant, service: OperationRunService
) -> None:
    """Two sessions take two rows in opposite order; Postgres ends the one that waits less long."""
    first, second = create_running_run(tenant, 1), create_running_run(tenant, 2)
    tries: list[int] = []
    holds_first = threading.Event()
    crossing_pid: Future[int] = Future()

    def cross() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")
            _touch(second)
            crossing_pid.set_result(backend_pid())
            assert holds_first.wait(TIMEOUT_SECONDS)
            _touch(first)
        connection.close()

    @retry_on_serialization_failure
    @transaction.atomic
    def report() -> None:
        tries.append(1)
        service.increment_summary_counts(first.pk, processed=1, succeeded=1)
        if len(tries) == 1:
            holds_first.set()
            wait_until_blocked(crossing_pid.result(TIMEOUT_SECONDS), by=backend_pid())
        service.increment_summary_counts(second.pk, processed=1, succeeded=1)

    crossing = threading.Thread(target=cross)
    crossing.start()
    report()
    crossing.join()

    assert len(tries) == 2, "no deadlock came about, so nothing was shown"
    counts = [OperationRun.objects.get(pk=run.pk).counts.succeeded for run in (first, second)]
    assert counts == [1, 1], "nothing lost, nothing twice"


def _touch(run: OperationRun) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET updated_at = now() WHERE id = %s", [run.pk])


def test_a_run_that_meets_conflicts_for_ever_fails_with_a_cause_of_its_own(
    tenant: Tenant, use_handler: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def backup(active: ActiveRun) -> None:
        raise lost_to(DeadlockDetected)

    use_handler(backup)
    run = create_queued_run(tenant)

    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == ["database_conflict"]
    assert "undone" not in str(run.failure_summary)
