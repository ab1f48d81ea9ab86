"""What died is ended in a bounded time, says why, and starts again where it may."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from operations.catalog import Retry
from operations.maintenance import reconciler
from operations.maintenance.reconciler import BATCH, reconcile
from operations.models import OperationRun
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import RunOutcome
from operations.testing import override_catalog
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.concurrency import racing_threads
from tests.support.factories import OperationRunFactory

pytestmark = pytest.mark.django_db

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)


def ago(span: dt.timedelta) -> dt.datetime:
    return timezone.now() - span


def a_silent_run(tenant: Tenant, **columns: Any) -> OperationRun:
    """A run that has not been heard from for two minutes."""
    run: OperationRun = OperationRunFactory(
        tenant=tenant, running=True, heartbeat_at=ago(2 * MINUTE), **columns
    )
    return run


def ended(run: OperationRun) -> tuple[str, list[str]]:
    """How the run ended, and the codes of its failures."""
    run.refresh_from_db()
    return run.outcome, [failure["code"] for failure in run.failures]


def test_a_run_whose_worker_is_silent_ends_as_lost_and_is_retried(tenant: Tenant) -> None:
    run = a_silent_run(tenant)

    assert reconcile() == {"worker_lost": 1}

    assert ended(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert "worker-1:42" in run.failures[0]["message"]
    retry = OperationRun.objects.get(retry_of=run)
    assert retry.type == OperationRunType.BACKUP_SCHEDULE_RETRY
    assert retry.is_queued
    assert retry.initiator_name == "Reconciler"
    assert retry.run_identity_hash == run.run_identity_hash
    assert [event.kind for event in run.events.all()] == ["ended"]


def test_what_was_counted_before_the_loss_stays(tenant: Tenant) -> None:
    run = a_silent_run(tenant)
    before = run.summary_counts

    reconcile()

    run.refresh_from_db()
    assert run.summary_counts == before


def test_a_run_that_is_heard_from_is_left_alone(tenant: Tenant) -> None:
    running = OperationRunFactory(tenant=tenant, running=True)
    queued = OperationRunFactory(tenant=tenant)

    assert reconcile() == {}

    for run in (running, queued):
        run.refresh_from_db()
        assert run.is_active


def test_the_lost_worker_can_change_nothing_any_more(tenant: Tenant) -> None:
    run = a_silent_run(tenant)
    reconcile()

    with pytest.raises(RunNoLongerActive):
        OperationRunService().increment_summary_counts(run.pk, succeeded=1)
    with pytest.raises(RunNoLongerActive):
        OperationRunService().complete(run.pk)


def test_a_chain_of_lost_runs_ends_after_three_and_says_so(tenant: Tenant) -> None:
    first = a_silent_run(tenant)
    second = a_silent_run(tenant, retry_of=first, initiator_name="Reconciler")
    third = a_silent_run(tenant, retry_of=second, initiator_name="Reconciler")
    first_of_others = a_silent_run(tenant)

    reconcile()

    assert not OperationRun.objects.filter(retry_of=third).exists()
    assert third.events.filter(kind="retry_given_up").count() == 1
    assert OperationRun.objects.filter(retry_of=first_of_others).exists()


def test_what_a_person_started_again_begins_a_new_chain(tenant: Tenant) -> None:
    first = a_silent_run(tenant)
    second = a_silent_run(tenant, retry_of=first, initiator_name="olga")
    third = a_silent_run(tenant, retry_of=second, initiator_name="olga")

    reconcile()

    assert third.retries.count() == 1
    assert not third.events.filter(kind="retry_given_up").exists()


def test_a_run_that_somebody_cancelled_ends_as_cancelled_and_is_not_started_again(
    tenant: Tenant, operator: User
) -> None:
    run = a_silent_run(tenant, cancel_requested_at=ago(MINUTE), cancel_requested_by=operator)

    assert reconcile() == {"worker_lost": 1}

    assert ended(run) == (RunOutcome.CANCELLED, ["worker_lost"])
    assert not run.retries.exists()


def test_a_retry_that_cannot_be_made_does_not_keep_a_lost_run_running(tenant: Tenant) -> None:
    """A newer version may refuse what an older one has written."""
    run = a_silent_run(tenant, context={"policy_id": "x"})

    assert reconcile() == {"worker_lost": 1}

    assert ended(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert not run.retries.exists()
    (given_up,) = run.events.filter(kind="retry_given_up")
    assert "reference" in given_up.message


def test_a_type_that_may_not_be_repeated_is_not(tenant: Tenant) -> None:
    run = a_silent_run(tenant)

    with override_catalog(OperationRunType(run.type), retry=Retry.NEVER):
        reconcile()

    assert ended(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert not run.retries.exists()


def test_a_run_that_nobody_takes_before_its_deadline_has_never_started(tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, created_at=ago(7 * HOUR))
    patient = OperationRunFactory(tenant=tenant, created_at=ago(5 * HOUR))

    assert reconcile() == {"never_started": 1}

    assert ended(run) == (RunOutcome.FAILED, ["never_started"])
    assert "“backup”" in run.failures[0]["next_step"]
    assert not run.retries.exists()
    patient.refresh_from_db()
    assert patient.is_queued


def test_a_run_far_past_its_limit_is_ended_although_it_is_heard_from(tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, running=True, started_at=ago(3 * HOUR))

    assert reconcile() == {"max_runtime_exceeded": 1}

    assert ended(run) == (RunOutcome.FAILED, ["max_runtime_exceeded"])


def test_work_that_hung_until_its_process_was_killed_ran_for_too_long(tenant: Tenant) -> None:
    """Its worker is silent too, but to start it again would only make it hang again."""
    limit, second = 2 * HOUR, dt.timedelta(seconds=1)
    started = ago(limit + 125 * second)
    run = OperationRunFactory(
        tenant=tenant, running=True, started_at=started, heartbeat_at=started + limit + 50 * second
    )

    assert reconcile() == {"max_runtime_exceeded": 1}

    assert not run.retries.exists()


def test_a_worker_that_died_before_the_limit_was_lost_however_late_that_is_seen(
    tenant: Tenant,
) -> None:
    run = OperationRunFactory(
        tenant=tenant, running=True, started_at=ago(9 * HOUR), heartbeat_at=ago(8 * HOUR)
    )

    assert reconcile() == {"worker_lost": 1}

    assert run.retries.count() == 1


def test_a_run_that_does_not_stop_when_asked_is_ended(tenant: Tenant, operator: User) -> None:
    run = OperationRunFactory(
        tenant=tenant,
        running=True,
        cancel_requested_at=ago(11 * MINUTE),
        cancel_requested_by=operator,
    )

    assert reconcile() == {"cancel_timeout": 1}

    assert ended(run) == (RunOutcome.FAILED, ["cancel_timeout"])


def test_a_row_that_cannot_be_ended_does_not_keep_the_others_waiting(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, other = a_silent_run(tenant), a_silent_run(tenant)
    end = reconciler._end

    def end_all_but_one(run_id: int, loss: reconciler.Loss) -> bool:
        if run_id == poisoned.pk:
            raise RuntimeError
        return end(run_id, loss)

    monkeypatch.setattr(reconciler, "_end", end_all_but_one)
    monkeypatch.setattr(reconciler, "BATCH", 1)

    assert reconcile() == {"worker_lost": 1}

    assert ended(other)[0] == RunOutcome.FAILED


@pytest.fixture
def refusals(transactional_db: None) -> Iterator[None]:
    """A guard that refuses to end the runs of one worker, as a defect of ours might."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_to_end() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'refused'; END $$;"
            "CREATE TRIGGER refuse_to_end BEFORE UPDATE ON operation_runs FOR EACH ROW"
            " WHEN (OLD.worker = 'refused') EXECUTE FUNCTION refuse_to_end()"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse_to_end CASCADE")


def multiply(run: OperationRun, times: int) -> None:
    """Put copies of a run beside it, each with an identity of its own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_runs SELECT (jsonb_populate_record(run, jsonb_build_object("
            "'id', nextval(pg_get_serial_sequence('operation_runs', 'id')),"
            " 'run_identity_hash', encode(sha256((run.id || ' ' || copy)::bytea), 'hex')))).*"
            " FROM operation_runs run, generate_series(2, %s) copy WHERE run.id = %s",
            [times, run.pk],
        )


@pytest.mark.race
@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("refusals")
def test_a_stuck_run_behind_ten_thousand_that_cannot_be_ended_is_ended(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """Most of them are held by somebody, and more than a page of them is refused."""
    caplog.set_level(logging.CRITICAL, logger=reconciler.__name__)
    silent = {"tenant": tenant, "running": True, "heartbeat_at": ago(2 * MINUTE)}
    multiply(OperationRunFactory(worker="held", **silent), 10_000 - BATCH - 1)
    multiply(OperationRunFactory(worker="refused", **silent), BATCH + 1)
    stuck = OperationRunFactory(**silent)

    with racing_threads(1) as reconcilers, transaction.atomic():
        list(OperationRun.objects.filter(worker="held").select_for_update().values_list("pk"))
        counted = reconcilers.submit(reconcile).result(timeout=250)

    assert OperationRun.objects.filter(worker__in=["held", "refused"]).active().count() == 10_000
    assert counted == {"worker_lost": 1}
    assert ended(stuck) == (RunOutcome.FAILED, ["worker_lost"])


def test_a_type_that_the_catalog_does_not_know_can_be_lost_too(tenant: Tenant) -> None:
    run = a_silent_run(tenant, type="backup.of_a_newer_version")

    reconcile()

    assert ended(run) == (RunOutcome.FAILED, ["worker_lost"])


def test_the_lost_are_found_by_an_index(tenant: Tenant) -> None:
    loss = next(loss for loss in reconciler.LOSSES if loss.code == "worker_lost")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT id FROM operation_runs WHERE {loss.condition} AND id > 0 ORDER BY id",
            reconciler._parameters(),
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "runs_running" in plan
