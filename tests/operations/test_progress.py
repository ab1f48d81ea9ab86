"""A running run accepts reports; an ended run refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from operations.events import Event
from operations.failures import Failure
from operations.models import EventLevel, OperationRun
from operations.progress import ItemResult, Progress
from operations.reasons import SafeError
from operations.services import OperationRunService, RunNoLongerActive
from operations.states import ItemOutcome
from tenancy.models import Tenant
from tests.support.factories.operations import (
    create_ended_run,
    create_queued_run,
    create_running_run,
    event_kinds,
)

CANARY = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"
ERROR = SafeError("unexpected_error", reference="0123456789ab", request_id="req-1")


@pytest.fixture
def run(tenant: Tenant) -> OperationRun:
    return create_running_run(tenant)


def reload(run: OperationRun) -> OperationRun:
    return OperationRun.objects.get(pk=run.pk)


# --- counts and meta ------------------------------------------------------------------------------


def test_increments_add_up(run: OperationRun, service: OperationRunService) -> None:
    service.increment_summary_counts(run.pk, total=5, succeeded=1)
    service.increment_summary_counts(run.pk, succeeded=2, created=1)

    assert reload(run).summary_counts == {"total": 5, "succeeded": 3, "created": 1}


@pytest.mark.parametrize("increments", [{"teleported": 1}, {"total": -1}, {"total": 1.5}])
def test_an_invalid_count_is_refused(
    run: OperationRun, service: OperationRunService, increments: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="count"):
        service.increment_summary_counts(run.pk, **increments)

    assert reload(run).summary_counts == {}


def test_phase_and_meta_are_merged(run: OperationRun, service: OperationRunService) -> None:
    service.update_run(run.pk, phase="Reading", meta={"pages": 3, "complete": False})
    service.update_run(run.pk, phase="Storing")

    assert reload(run).phase == "Storing"
    assert reload(run).counts.meta == {"phase": "Storing", "pages": 3, "complete": False}


def test_meta_does_not_change_the_counts(run: OperationRun, service: OperationRunService) -> None:
    service.increment_summary_counts(run.pk, total=2)
    service.update_run(run.pk, phase="Reading")

    assert reload(run).counts.total == 2


def test_meta_is_redacted_and_truncated(run: OperationRun, service: OperationRunService) -> None:
    service.update_run(run.pk, meta={"text": f"client_secret={CANARY}\x00" + "x" * 500})

    assert CANARY not in str(reload(run).summary_counts)
    assert len(str(reload(run).counts.meta["text"])) <= 200


# --- items, failures, events ----------------------------------------------------------------------


def test_items_are_stored_with_their_reason(
    run: OperationRun, service: OperationRunService
) -> None:
    service.record_items(
        run.pk,
        [
            ItemResult("a", ItemOutcome.SUCCEEDED, label="Policy A", link="/w/contoso/policies/1/"),
            ItemResult("b", ItemOutcome.FAILED, label="Policy B", error=ERROR),
        ],
    )

    succeeded, failed = run.items.all()
    assert (succeeded.label, succeeded.link, succeeded.reason_code) == (
        "Policy A",
        "/w/contoso/policies/1/",
        "",
    )
    assert (failed.reason_code, failed.request_id) == ("unexpected_error", "req-1")
    assert failed.message == ERROR.message


def test_the_last_report_of_an_item_is_stored(
    run: OperationRun, service: OperationRunService
) -> None:
    service.record_items(run.pk, [ItemResult("a", ItemOutcome.FAILED, error=ERROR)])
    service.record_items(
        run.pk,
        [ItemResult("a", ItemOutcome.SKIPPED), ItemResult("a", ItemOutcome.SUCCEEDED)],
    )

    item = run.items.get()
    assert item.outcome == ItemOutcome.SUCCEEDED
    assert item.reason_code == ""


def test_keys_that_are_equal_after_truncation_are_one_item(
    run: OperationRun, service: OperationRunService
) -> None:
    keys = ["x" * 300 + "1", "x" * 300 + "2"]

    service.record_items(run.pk, [ItemResult(key, ItemOutcome.SUCCEEDED) for key in keys])

    assert run.items.count() == 1


def test_item_texts_are_sanitized(run: OperationRun, service: OperationRunService) -> None:
    service.record_items(
        run.pk, [ItemResult("a\x00b", ItemOutcome.SUCCEEDED, label=f"\ud800 password={CANARY}\n")]
    )

    item = run.items.get()
    assert "\x00" not in item.key
    assert CANARY not in item.label
    assert item.label.isprintable()


def test_failures_are_grouped_across_batches(
    run: OperationRun, service: OperationRunService
) -> None:
    failure = Failure(ERROR, item="Policy A")

    service.append_failures(run.pk, [failure, failure])
    service.append_failures(run.pk, [failure])

    (cause,) = reload(run).failures
    assert (cause["count"], cause["item"], cause["label"]) == (3, "Policy A", "Unexpected error")


def test_the_most_frequent_cause_comes_first(
    run: OperationRun, service: OperationRunService
) -> None:
    rare, common = Failure(ERROR), Failure(SafeError("not_attempted"), count=9)

    service.append_failures(run.pk, [rare, common])

    assert [cause["code"] for cause in reload(run).failures] == [
        "not_attempted",
        "unexpected_error",
    ]


def test_events_are_numbered_without_gaps(run: OperationRun, service: OperationRunService) -> None:
    events = [Event("note", f"Line {at}", EventLevel.WARNING) for at in range(3)]

    service.record_progress(run.pk, Progress(events=events))
    service.add_event(run.pk, Event("note", "Line 3"))

    assert list(run.events.values_list("sequence", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert [event.message for event in run.events.filter(kind="note")] == [
        f"Line {at}" for at in range(4)
    ]


def test_events_are_redacted(run: OperationRun, service: OperationRunService) -> None:
    service.add_event(
        run.pk,
        Event("note", f"Bearer {CANARY}", actor=f"password={CANARY}", data={"token": CANARY}),
    )

    assert CANARY not in str(list(run.events.values()))


# --- the lease and cancel requests ----------------------------------------------------------------


def test_every_report_renews_the_lease(run: OperationRun, service: OperationRunService) -> None:
    service.increment_summary_counts(run.pk, total=1)

    assert reload(run).heartbeat_at > run.heartbeat_at  # type: ignore[operator]


def test_a_heartbeat_returns_whether_the_run_should_stop(
    run: OperationRun, service: OperationRunService, operator: Any
) -> None:
    before = service.heartbeat(run.pk)
    service.request_cancel(run, by=operator)

    assert (before, service.heartbeat(run.pk)) == (False, True)


def test_a_report_without_events_is_one_statement(
    run: OperationRun, service: OperationRunService, django_assert_num_queries: Any
) -> None:
    progress = Progress(increments={"processed": 1}, meta={"phase": "Reading"})

    with django_assert_num_queries(1):
        service.record_progress(run.pk, progress)


# --- late writes ----------------------------------------------------------------------------------

WRITES: dict[str, Callable[[OperationRunService, int], object]] = {
    "increment_summary_counts": lambda service, at: service.increment_summary_counts(at, total=1),
    "update_run": lambda service, at: service.update_run(at, phase="Late"),
    "append_failures": lambda service, at: service.append_failures(at, [Failure(ERROR)]),
    "record_items": lambda service, at: service.record_items(
        at, [ItemResult("late", ItemOutcome.SUCCEEDED)]
    ),
    "add_event": lambda service, at: service.add_event(at, Event("note", "Late")),
    "heartbeat": lambda service, at: service.heartbeat(at),
    "complete": lambda service, at: service.complete(at),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_late_write_is_refused_and_changes_nothing(
    tenant: Tenant, service: OperationRunService, write: Callable[..., object]
) -> None:
    ended = create_ended_run(tenant, total=1, processed=1, failed=1)
    before = OperationRun.objects.filter(pk=ended.pk).values().get()

    with pytest.raises(RunNoLongerActive, match="has already ended"):
        write(service, ended.pk)

    assert OperationRun.objects.filter(pk=ended.pk).values().get() == before
    assert not ended.items.exists()
    assert event_kinds(ended) == ["created", "started", "ended"]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_queued_run_refuses_reports(
    tenant: Tenant, service: OperationRunService, write: Callable[..., object]
) -> None:
    queued = create_queued_run(tenant)

    with pytest.raises(RunNoLongerActive):
        write(service, queued.pk)

    assert event_kinds(queued) == ["created"]


def test_nothing_of_a_refused_batch_is_stored(
    run: OperationRun, service: OperationRunService
) -> None:
    service.complete(run.pk)
    batch = Progress(
        increments={"succeeded": 1},
        meta={"phase": "Late"},
        items=[ItemResult("late", ItemOutcome.SUCCEEDED)],
        failures=[Failure(ERROR)],
        events=[Event("note", "Late")],
    )

    with pytest.raises(RunNoLongerActive):
        service.record_progress(run.pk, batch)

    assert reload(run).summary_counts == {}
    assert reload(run).failure_summary == []
    assert not run.items.exists()
    assert "note" not in event_kinds(run)


def test_nothing_of_an_invalid_batch_is_stored(
    run: OperationRun, service: OperationRunService
) -> None:
    invalid = ItemResult("b", "perhaps")  # type: ignore[arg-type]
    batch = Progress(
        increments={"succeeded": 2},
        items=[ItemResult("a", ItemOutcome.SUCCEEDED), invalid],
    )

    with pytest.raises(Exception, match="run_items_outcome_known"):
        service.record_progress(run.pk, batch)

    assert reload(run).summary_counts == {}
    assert not run.items.exists()


def test_a_late_write_is_recorded_on_the_timeline(
    tenant: Tenant, service: OperationRunService
) -> None:
    ended = create_ended_run(tenant)

    service.record_late_write(ended.pk, "worker-1")

    event = ended.events.get(kind="late_write_refused")
    assert event.level == EventLevel.WARNING
    assert event.actor == "worker-1"
