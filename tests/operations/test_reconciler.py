"""The reconciler ends lost runs in bounded time, with the reason, and retries them where allowed."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
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


def create_lost_run(tenant: Tenant, **columns: Any) -> OperationRun:
    """Create a running run whose last heartbeat was two minutes ago."""
    run: OperationRun = OperationRunFactory(
        tenant=tenant, running=True, heartbeat_at=ago(2 * MINUTE), **columns
    )
    return run


def outcome_and_codes(run: OperationRun) -> tuple[str, list[str]]:
    """Return the outcome of the run and the codes of its failures."""
    run.refresh_from_db()
    return run.outcome, [failure["code"] for failure in run.failures]


def test_a_run_without_heartbeats_ends_as_lost_and_is_retried(tenant: Tenant) -> None:
    run = create_lost_run(tenant)

    assert reconcile() == {"worker_lost": 1}

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert "worker-1:42" in run.failures[0]["message"]
    retry = OperationRun.objects.get(retry_of=run)
    assert retry.type == OperationRunType.BACKUP_SCHEDULE_RETRY
    assert retry.is_queued
    assert retry.initiator_name == "Reconciler"
    assert retry.run_identity_hash == run.run_identity_hash
    assert [event.kind for event in run.events.all()] == ["ended"]


def test_a_lost_run_keeps_its_counts(tenant: Tenant) -> None:
    run = create_lost_run(tenant)
    before = run.summary_counts

    reconcile()

    run.refresh_from_db()
    assert run.summary_counts == before


def test_a_run_with_a_recent_heartbeat_is_not_ended(tenant: Tenant) -> None:
    running = OperationRunFactory(tenant=tenant, running=True)
    queued = OperationRunFactory(tenant=tenant)

    assert reconcile() == {}

    for run in (running, queued):
        run.refresh_from_db()
        assert run.is_active


def test_the_worker_of_a_lost_run_can_no_longer_change_it(tenant: Tenant) -> None:
    run = create_lost_run(tenant)
    reconcile()

    with pytest.raises(RunNoLongerActive):
        OperationRunService().increment_summary_counts(run.pk, succeeded=1)
    with pytest.raises(RunNoLongerActive):
        OperationRunService().complete(run.pk)


def test_a_chain_of_lost_runs_ends_after_three_attempts_with_an_event(tenant: Tenant) -> None:
    first = create_lost_run(tenant)
    second = create_lost_run(tenant, retry_of=first, initiator_name="Reconciler")
    third = create_lost_run(tenant, retry_of=second, initiator_name="Reconciler")
    first_of_another_chain = create_lost_run(tenant)

    reconcile()

    assert not OperationRun.objects.filter(retry_of=third).exists()
    assert third.events.filter(kind="retry_given_up").count() == 1
    assert OperationRun.objects.filter(retry_of=first_of_another_chain).exists()


def test_a_manual_retry_starts_a_new_chain(tenant: Tenant) -> None:
    first = create_lost_run(tenant)
    second = create_lost_run(tenant, retry_of=first, initiator_name="olga")
    third = create_lost_run(tenant, retry_of=second, initiator_name="olga")

    reconcile()

    assert third.retries.count() == 1
    assert not third.events.filter(kind="retry_given_up").exists()


def test_a_lost_run_with_a_cancel_request_ends_as_cancelled_without_a_retry(
    tenant: Tenant, operator: User
) -> None:
    run = create_lost_run(tenant, cancel_requested_at=ago(MINUTE), cancel_requested_by=operator)

    assert reconcile() == {"worker_lost": 1}

    assert outcome_and_codes(run) == (RunOutcome.CANCELLED, ["worker_lost"])
    assert not run.retries.exists()


def test_a_lost_run_ends_even_if_its_retry_cannot_be_created(tenant: Tenant) -> None:
    """A newer version can refuse the context of an older one."""
    run = create_lost_run(tenant, context={"policy_id": "x"})

    assert reconcile() == {"worker_lost": 1}

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert not run.retries.exists()
    (event,) = run.events.filter(kind="retry_given_up")
    assert "reference" in event.message


def test_a_type_without_retries_is_not_retried(tenant: Tenant) -> None:
    run = create_lost_run(tenant)

    with override_catalog(OperationRunType(run.type), retry=Retry.NEVER):
        reconcile()

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["worker_lost"])
    assert not run.retries.exists()


def test_a_run_that_is_not_claimed_before_its_deadline_ends_as_never_started(
    tenant: Tenant,
) -> None:
    run = OperationRunFactory(tenant=tenant, created_at=ago(7 * HOUR))
    within_deadline = OperationRunFactory(tenant=tenant, created_at=ago(5 * HOUR))

    assert reconcile() == {"never_started": 1}

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["never_started"])
    assert "“backup”" in run.failures[0]["next_step"]
    assert not run.retries.exists()
    within_deadline.refresh_from_db()
    assert within_deadline.is_queued


def test_a_run_far_past_its_time_limit_ends_despite_its_heartbeats(tenant: Tenant) -> None:
    run = OperationRunFactory(tenant=tenant, running=True, started_at=ago(3 * HOUR))

    assert reconcile() == {"max_runtime_exceeded": 1}

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["max_runtime_exceeded"])


def test_a_run_that_was_killed_at_its_time_limit_exceeded_its_runtime(tenant: Tenant) -> None:
    """Its heartbeats have ended as well, but a retry would hang again."""
    limit, second = 2 * HOUR, dt.timedelta(seconds=1)
    started = ago(limit + 125 * second)
    run = OperationRunFactory(
        tenant=tenant, running=True, started_at=started, heartbeat_at=started + limit + 50 * second
    )

    assert reconcile() == {"max_runtime_exceeded": 1}

    assert not run.retries.exists()


def test_a_run_that_was_lost_before_its_time_limit_is_retried_however_late_it_is_detected(
    tenant: Tenant,
) -> None:
    run = OperationRunFactory(
        tenant=tenant, running=True, started_at=ago(9 * HOUR), heartbeat_at=ago(8 * HOUR)
    )

    assert reconcile() == {"worker_lost": 1}

    assert run.retries.count() == 1


def test_a_run_that_ignores_its_cancel_request_is_ended(tenant: Tenant, operator: User) -> None:
    run = OperationRunFactory(
        tenant=tenant,
        running=True,
        cancel_requested_at=ago(11 * MINUTE),
        cancel_requested_by=operator,
    )

    assert reconcile() == {"cancel_timeout": 1}

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["cancel_timeout"])


def test_a_run_that_cannot_be_ended_does_not_delay_the_others(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, *others = (create_lost_run(tenant) for _ in range(4))
    end = reconciler._end_if_lost

    def end_all_but_one(run_ids: Sequence[int], loss: reconciler.Loss) -> int:
        if broken.pk in run_ids:
            raise RuntimeError
        return end(run_ids, loss)

    monkeypatch.setattr(reconciler, "_end_if_lost", end_all_but_one)
    monkeypatch.setattr(reconciler, "BATCH", 3)

    assert reconcile() == {"worker_lost": 3}

    assert {outcome_and_codes(run)[0] for run in others} == {RunOutcome.FAILED}
    assert outcome_and_codes(broken)[0] == RunOutcome.PENDING


@pytest.mark.parametrize("size", [1, 40])
def test_lost_runs_are_ended_and_retried_in_a_bounded_number_of_statements(
    tenant: Tenant, size: int
) -> None:
    lost = [create_lost_run(tenant) for _ in range(size)]
    chained = [create_lost_run(tenant, retry_of=run, initiator_name="Reconciler") for run in lost]

    with CaptureQueriesContext(connection) as queries:
        assert reconcile() == {"worker_lost": 2 * size}

    assert len(queries) <= 25
    assert {outcome_and_codes(run)[0] for run in (*lost, *chained)} == {RunOutcome.FAILED}
    for run in (*lost, *chained):
        assert run.retries.filter(initiator_name="Reconciler", status="queued").count() == 1


def test_a_retry_that_cannot_be_created_does_not_prevent_the_others(tenant: Tenant) -> None:
    """A newer version can refuse the context of an older one."""
    valid, invalid = create_lost_run(tenant), create_lost_run(tenant, context={"policy_id": "x"})

    assert reconcile() == {"worker_lost": 2}

    assert valid.retries.count() == 1
    assert not invalid.retries.exists()
    assert not valid.events.filter(kind="retry_given_up").exists()
    assert invalid.events.filter(kind="retry_given_up").count() == 1


@pytest.fixture
def refusing_trigger(transactional_db: None) -> Iterator[None]:
    """Install a trigger that refuses to end the runs of one worker, as a defect could."""
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


def copy_run(run: OperationRun, times: int) -> None:
    """Copy a run until there are `times` of it, each with another identity."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_runs SELECT (jsonb_populate_record(run, jsonb_build_object("
            "'id', nextval(pg_get_serial_sequence('operation_runs', 'id')),"
            " 'run_identity_hash', encode(sha256((run.id || ' ' || copy)::bytea), 'hex')))).*"
            " FROM operation_runs run, generate_series(2, %s) copy WHERE run.id = %s",
            [times, run.pk],
        )


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("refusing_trigger")
def test_a_lost_run_behind_ten_thousand_that_cannot_be_ended_is_ended(
    tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    """Most of them are locked, and more than one batch of them is refused by a trigger."""
    caplog.set_level(logging.CRITICAL, logger=reconciler.__name__)
    lost = {"tenant": tenant, "running": True, "heartbeat_at": ago(2 * MINUTE)}
    copy_run(OperationRunFactory(worker="locked", **lost), 10_000 - BATCH - 1)
    copy_run(OperationRunFactory(worker="refused", **lost), BATCH + 1)
    stuck = OperationRunFactory(**lost)

    with racing_threads(1) as reconcilers, transaction.atomic():
        list(OperationRun.objects.filter(worker="locked").select_for_update().values_list("pk"))
        ended = reconcilers.submit(reconcile).result(timeout=250)

    assert OperationRun.objects.filter(worker__in=["locked", "refused"]).active().count() == 10_000
    assert ended == {"worker_lost": 1}
    assert outcome_and_codes(stuck) == (RunOutcome.FAILED, ["worker_lost"])


def test_a_lost_run_of_an_unknown_type_is_ended(tenant: Tenant) -> None:
    run = create_lost_run(tenant, type="backup.of_a_newer_version")

    reconcile()

    assert outcome_and_codes(run) == (RunOutcome.FAILED, ["worker_lost"])


def test_the_query_for_lost_runs_uses_an_index(tenant: Tenant) -> None:
    loss = next(loss for loss in reconciler.LOSSES if loss.code == "worker_lost")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT id FROM operation_runs WHERE {loss.condition}",
            reconciler._parameters(),
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "runs_running" in plan
