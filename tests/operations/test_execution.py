"""Executing a run, from its message to its end."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from operations import tasks
from operations.models import EventLevel, OperationRun
from operations.reasons import Blocked, SafeError
from operations.services import OperationRunService
from operations.states import Ending, ItemOutcome, RunOutcome, RunStatus
from operations.testing import override_handler
from operations.types import OperationRunType
from operations.worker import active_run, execution
from operations.worker.active_run import ActiveRun, LeaseLost
from tenancy.models import Tenant, User
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)

CANARY = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"
FORBIDDEN = SafeError("unexpected_error", reference="0123456789ab")

UseHandler = Callable[..., None]


@pytest.fixture
def run(tenant: Tenant) -> OperationRun:
    return create_queued_run(tenant)


@pytest.fixture
def flush_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write every report immediately."""
    monkeypatch.setattr(active_run, "FLUSH_SECONDS", 0)


def stored_text() -> str:
    """Return everything stored about all runs, as text."""
    runs = OperationRun.objects.all()
    rows = [
        *runs.values(),
        *(row for run in runs for row in run.events.values()),
        *(row for run in runs for row in run.items.values()),
    ]
    return json.dumps(rows, default=str)


# --- how a run ends -------------------------------------------------------------------------------


def test_completed_work_ends_as_succeeded(run: OperationRun, use_handler: UseHandler) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(3)
        active.set_phase("Reading")
        active.report_success("a", label="Policy A", link="/w/contoso/policies/1/", created=1)
        active.report_success("b", unchanged=1)
        active.report_skip("c", SafeError("not_attempted"))
        active.set_meta(pages=2)
        active.add_note("Two pages were read.")

    use_handler(backup)

    assert execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.SUCCEEDED
    assert run.summary_counts == {
        "total": 3,
        "processed": 3,
        "succeeded": 2,
        "skipped": 1,
        "created": 1,
        "unchanged": 1,
        "meta": {"phase": "Reading", "pages": 2},
    }
    assert event_kinds(run) == ["created", "started", "phase", "note", "ended"]
    assert list(run.items.values_list("key", "outcome", "label")) == [
        ("a", ItemOutcome.SUCCEEDED, "Policy A"),
        ("b", ItemOutcome.SUCCEEDED, "b"),
        ("c", ItemOutcome.SKIPPED, "c"),
    ]


def test_work_with_a_failed_item_ends_as_partially_succeeded(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(2)
        active.report_success("a")
        active.report_failure("b", FORBIDDEN, label="Policy B")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    (cause,) = run.failures
    assert (cause["code"], cause["count"], cause["item"]) == ("unexpected_error", 1, "Policy B")


def test_an_unmet_precondition_ends_as_blocked(run: OperationRun, use_handler: UseHandler) -> None:
    def backup(active: ActiveRun) -> None:
        raise Blocked("tenant_suspended", tenant=active.tenant.name)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.BLOCKED
    assert run.failures[0]["next_step"] == "Set the tenant to active, then retry."


def test_a_block_after_some_work_ends_as_partially_succeeded(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(2)
        active.report_success("a")
        raise Blocked("tenant_suspended", tenant=active.tenant.name)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert run.counts.succeeded == 1


def test_a_safe_error_ends_as_failed_with_its_reason(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        raise SafeError("never_started", minutes=3, queue="backup")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert run.counts.succeeded == 1
    assert run.failures[0]["message"] == "No worker started the run within 3 minutes."


def test_an_unexpected_error_is_stored_as_a_reference_without_its_text(
    run: OperationRun, use_handler: UseHandler, caplog: pytest.LogCaptureFixture
) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        raise RuntimeError(f"{CANARY} said the server") from ValueError(CANARY)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    (cause,) = run.failures
    assert run.outcome == RunOutcome.FAILED
    assert cause["code"] == "unexpected_error"
    assert CANARY not in stored_text()
    assert "said the server" not in stored_text()
    reference = cause["message"].partition("reference ")[2][:12]
    (record,) = [entry for entry in caplog.records if entry.exc_info]
    assert reference in record.getMessage()
    assert run.counts.succeeded == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SoftTimeLimitExceeded(), "time_limit_exceeded"),
        (MemoryError(), "unexpected_error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, CANARY), "unexpected_error"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_exception_ends_the_run(
    run: OperationRun, use_handler: UseHandler, error: BaseException, code: str
) -> None:
    def backup(active: ActiveRun) -> None:
        raise error

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == [code]


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()], ids=repr)
def test_a_worker_that_is_shut_down_ends_its_run_and_exits(
    run: OperationRun, use_handler: UseHandler, error: BaseException
) -> None:
    def backup(active: ActiveRun) -> None:
        raise error

    use_handler(backup)
    with pytest.raises(SystemExit):
        execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == ["worker_shutdown"]
    retry = OperationRun.objects.get(retry_of=run)
    assert retry.is_queued
    assert retry.initiator_name == "Reconciler"


def test_a_cancelled_run_is_not_retried_when_its_worker_is_shut_down(
    run: OperationRun, use_handler: UseHandler, operator: User
) -> None:
    def backup(active: ActiveRun) -> None:
        OperationRunService().request_cancel(active.run, by=operator)
        raise SystemExit

    use_handler(backup)
    with pytest.raises(SystemExit):
        execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert not run.retries.exists()


def test_a_handler_that_suppresses_every_error_is_still_cancelled(
    run: OperationRun, use_handler: UseHandler, operator: User
) -> None:
    def backup(active: ActiveRun) -> None:
        OperationRunService().request_cancel(active.run, by=operator)
        active.flush()
        with contextlib.suppress(Exception):
            active.checkpoint()
        active.report_success("never")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert run.counts.processed == 0


def test_a_type_without_a_handler_ends_as_failed(run: OperationRun) -> None:
    with override_handler(OperationRunType(run.type), None):
        execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(
            lambda active: active.report_success("a", teleported=1), id="an unknown count"
        ),
        pytest.param(lambda active: active.report_success("a", created=-1), id="a negative count"),
        pytest.param(lambda active: active.report_success("a", created=1.5), id="half a count"),
        pytest.param(lambda active: active.expect(1.5), id="half an item"),
        pytest.param(lambda active: active.add_note("x", level="loud"), id="an unknown level"),
        pytest.param(lambda active: active.set_meta(x=object()), id="meta that cannot be stored"),
        pytest.param(
            lambda active: active.report_failure("a", SafeError("x" * 65)), id="a long code"
        ),
    ],
)
def test_an_invalid_report_of_the_handler_ends_its_run(
    run: OperationRun, use_handler: UseHandler, report: Callable[[ActiveRun], None]
) -> None:
    use_handler(report)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == ["unexpected_error"]


def test_expected_items_that_were_not_reached_are_reported(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(5)
        active.report_success("a")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.PARTIALLY_SUCCEEDED
    assert [(cause["code"], cause["count"]) for cause in run.failures] == [("not_attempted", 4)]


# --- messages -------------------------------------------------------------------------------------


def test_a_message_that_is_delivered_three_times_runs_once(
    run: OperationRun, use_handler: UseHandler
) -> None:
    calls: list[int] = []
    use_handler(lambda active: calls.append(active.id))

    results = [execution.execute(run.pk) for _ in range(3)]

    assert results == [True, False, False]
    assert calls == [run.pk]
    assert event_kinds(run) == ["created", "started", "ended"]


@pytest.mark.parametrize("start", [create_running_run, create_ended_run])
def test_a_message_for_a_claimed_or_ended_run_does_nothing(
    tenant: Tenant, use_handler: UseHandler, start: Callable[[Tenant], OperationRun]
) -> None:
    use_handler(lambda active: pytest.fail("the handler was called"))

    assert not execution.execute(start(tenant).pk)


@pytest.mark.parametrize("run_id", [0, -1, 2**62])
def test_a_message_for_an_unknown_run_does_nothing(db: None, run_id: int) -> None:
    assert not execution.execute(run_id)


@pytest.mark.parametrize(
    "run_id", ["x", None, [], {}, 2**64, 1.5, "1; DROP TABLE operation_runs", "\x00"]
)
def test_a_malformed_message_does_nothing(db: None, run_id: Any) -> None:
    tasks.execute_operation_run(run_id)


# --- cancelling -----------------------------------------------------------------------------------


def test_a_cancelled_run_stops_between_two_items(
    run: OperationRun,
    operator: User,
    service: OperationRunService,
    use_handler: UseHandler,
    flush_immediately: None,
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(10)
        for at in range(10):
            if at == 4:
                service.request_cancel(active.run, by=operator)
            active.checkpoint()
            active.report_success(f"policy-{at}")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.CANCELLED
    assert (run.counts.total, run.counts.processed) == (10, 4)
    assert run.items.count() == 4
    assert event_kinds(run) == ["created", "started", "cancel_requested", "ended"]


def test_a_handler_without_checkpoints_finishes_its_work(
    run: OperationRun, operator: User, service: OperationRunService, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        service.request_cancel(active.run, by=operator)
        active.expect(1)
        active.report_success("a")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.SUCCEEDED


# --- the lease ------------------------------------------------------------------------------------


def test_a_run_that_loses_its_lease_stops(run: OperationRun, use_handler: UseHandler) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        active.stop(LeaseLost())
        active.checkpoint()
        pytest.fail("the work continued")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert [cause["code"] for cause in run.failures] == ["lease_lost"]
    assert run.counts.succeeded == 1
    assert run.retries.count() == 1


def end_elsewhere(run: OperationRun) -> None:
    OperationRunService().complete(
        run.pk, ending=Ending.ERROR, error=SafeError("never_started", minutes=1, queue="backup")
    )


def test_a_late_report_is_refused_and_recorded(
    run: OperationRun, use_handler: UseHandler, flush_immediately: None
) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        end_elsewhere(active.run)
        active.report_success("b")
        pytest.fail("the work continued")

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert run.counts.processed == 1
    assert event_kinds(run) == ["created", "started", "ended", "late_write_refused"]


def test_a_late_completion_is_refused_and_recorded(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        end_elsewhere(active.run)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert [cause["code"] for cause in run.failures] == ["never_started"]
    assert run.counts.processed == 0
    assert not run.items.exists()
    assert event_kinds(run) == ["created", "started", "ended", "late_write_refused"]


# --- the active run -------------------------------------------------------------------------------


def test_a_handler_receives_its_run(
    run: OperationRun, tenant: Tenant, use_handler: UseHandler
) -> None:
    values: list[Any] = []

    def backup(active: ActiveRun) -> None:
        values.extend([active.id, active.tenant, active.workspace, active.inputs])

    use_handler(backup)
    execution.execute(run.pk)

    assert values == [run.pk, tenant, tenant.workspace, {"backup_schedule_id": 1}]


def test_only_the_first_report_of_an_item_counts(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def backup(active: ActiveRun) -> None:
        active.report_success("a")
        active.report_failure("a", FORBIDDEN)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.FAILED
    assert run.counts.processed == 1
    assert run.items.get().outcome == ItemOutcome.SUCCEEDED


def test_the_expected_total_can_grow(run: OperationRun, use_handler: UseHandler) -> None:
    def backup(active: ActiveRun) -> None:
        for total in (1, 3, 2):
            active.expect(total)
        for key in "abc":
            active.report_success(key)

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert (run.counts.total, run.outcome) == (3, RunOutcome.SUCCEEDED)


def test_tallied_items_are_counted_without_item_rows(
    run: OperationRun, use_handler: UseHandler
) -> None:
    def sync(active: ActiveRun) -> None:
        active.expect(501)
        active.tally(succeeded=500, unchanged=500)
        active.report_success("a", created=1)

    use_handler(sync)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.outcome == RunOutcome.SUCCEEDED
    assert (run.counts.processed, run.counts.unchanged, run.counts.created) == (501, 500, 1)
    assert run.items.count() == 1


def test_reports_are_written_in_batches(
    run: OperationRun, use_handler: UseHandler, django_assert_max_num_queries: Any
) -> None:
    def backup(active: ActiveRun) -> None:
        active.expect(500)
        for at in range(500):
            active.checkpoint()
            active.report_success(f"policy-{at}")

    use_handler(backup)

    with django_assert_max_num_queries(70):
        execution.execute(run.pk)

    assert run.items.count() == 500


def test_progress_is_visible_during_the_run(run: OperationRun, use_handler: UseHandler) -> None:
    processed: list[int] = []

    def backup(active: ActiveRun) -> None:
        active.expect(60)
        for at in range(60):
            active.report_success(f"policy-{at}")
        processed.append(OperationRun.objects.get(pk=active.id).counts.processed)

    use_handler(backup)
    execution.execute(run.pk)

    assert processed == [active_run.FLUSH_ITEMS]


def test_a_note_has_a_level(run: OperationRun, use_handler: UseHandler) -> None:
    use_handler(lambda active: active.add_note("Careful.", EventLevel.WARNING))
    execution.execute(run.pk)

    note = run.events.get(kind="note")
    assert (note.level, note.message) == (EventLevel.WARNING, "Careful.")
    assert note.actor == execution.worker_name()


def test_a_secret_in_a_report_is_stored_nowhere(run: OperationRun, use_handler: UseHandler) -> None:
    def backup(active: ActiveRun) -> None:
        secret = f"client_secret={CANARY}"
        active.set_phase(secret)
        active.add_note(secret)
        active.set_meta(text=secret)
        active.report_success("a", label=secret)
        active.report_failure("b", SafeError("tenant_suspended", tenant=secret, request_id=secret))

    use_handler(backup)
    execution.execute(run.pk)

    run.refresh_from_db()
    assert run.status == RunStatus.COMPLETED
    assert CANARY not in stored_text()
