"""The timeline of a run: its stages, their durations, and what happened within them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from operations.events import Event, append_events
from operations.models import EventLevel, OperationRun
from operations.presentation.stages import MAX_EVENTS, WIDTH, Stage, load_timeline
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.testing import run_now
from operations.worker.active_run import MAX_STAGES, ActiveRun
from providers.graph.client import SLICE_SECONDS, WaitReason
from providers.handling import show_waits
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunEventFactory, OperationRunFactory
from tests.support.factories.operations import create_queued_run, create_running_run

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)
THROTTLED = "Microsoft Graph is throttling requests"


def after(seconds: float) -> dt.datetime:
    return START + dt.timedelta(seconds=seconds)


def create_run(tenant: Tenant, **columns: Any) -> OperationRun:
    """Create a run that was recorded at `START` and published 100 ms later."""
    run: OperationRun = OperationRunFactory(
        tenant=tenant, created_at=START, published_at=after(0.1), **columns
    )
    return run


def lines_of(run: OperationRun) -> list[tuple[str, float | None]]:
    """Return the label of each line and its duration in seconds."""
    timeline, _ = load_timeline(run)
    return [(line.label, _seconds(line)) for line in timeline]


def _seconds(line: Stage) -> float | None:
    return line.duration.total_seconds() if line.duration is not None else None


def add_event(run: OperationRun, kind: str, message: str, at: float, **data: Any) -> None:
    sequence = run.events.count() + 1
    OperationRunEventFactory(
        run=run, sequence=sequence, kind=kind, message=message, at=after(at), data=data
    )


def test_the_stages_of_an_ended_run_have_durations(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(2.1), completed_at=after(62.1))
    # Both were written at once, 20 seconds after the claim.
    add_event(run, "phase", "Connecting", 22, after_ms=0)
    add_event(run, "phase", "Reading policies", 22, after_ms=10_000)

    assert lines_of(run) == [
        ("Recorded", 0.1),
        ("Published", 2.0),
        ("Claimed", 0.0),
        ("Connecting", 10.0),
        ("Reading policies", 50.0),
        ("Succeeded", None),
    ]
    timeline, _ = load_timeline(run)
    assert timeline[-1].note == "in total 1 min 2 s"
    assert timeline[0].note == "Requested by Schedule: Nightly"
    assert timeline[2].note == run.worker


def test_the_current_stage_of_an_active_run_is_open(tenant: Tenant) -> None:
    run = create_run(tenant, running=True, started_at=after(2.1))
    add_event(run, "phase", "Reading policies", 3, after_ms=500)

    timeline, _ = load_timeline(run)

    assert [line.label for line in timeline if line.is_open] == ["Reading policies"]
    assert timeline[-1].duration is None


def test_a_queued_run_is_at_its_last_stage(tenant: Tenant) -> None:
    published, recorded = create_run(tenant), create_run(tenant)
    OperationRun.objects.filter(pk=recorded.pk).update(published_at=None)
    recorded.refresh_from_db()

    assert lines_of(published) == [("Recorded", 0.1), ("Published", None)]
    assert lines_of(recorded) == [("Recorded", None)]


def test_the_first_message_counts_when_the_run_was_published_again(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(60), completed_at=after(61))
    OperationRun.objects.filter(pk=run.pk).update(published_at=after(59))
    add_event(run, "published_again", "Sent again.", 30, before=after(0.1).isoformat())
    add_event(run, "published_again", "Sent again.", 59, before=after(30).isoformat())
    run.refresh_from_db()

    assert lines_of(run)[:2] == [("Recorded", 0.1), ("Published", 59.9)]
    assert [label for label, _ in lines_of(run)].count("Sent again.") == 2


def test_a_message_is_not_later_than_the_claim(tenant: Tenant) -> None:
    run = create_run(tenant, running=True, started_at=after(0.05))

    assert lines_of(run) == [("Recorded", 0.05), ("Published", 0.0), ("Claimed", None)]


def test_waits_with_one_cause_are_one_line_with_their_sum(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(1), completed_at=after(100))
    add_event(run, "phase", "Reading policies", 2, after_ms=0)
    for number in range(3):
        wait = {"after_ms": 5000 + 1000 * number, "wait_ms": 12_000, "cause": THROTTLED}
        add_event(run, "wait", f"{THROTTLED}: waiting 12 s.", 10, **wait)
    add_event(run, "phase", "Reading groups", 60, after_ms=59_000)
    add_event(run, "wait", "Waiting.", 70, after_ms=60_000, wait_ms=2000, cause=THROTTLED)

    timeline, _ = load_timeline(run)

    waits = [line for line in timeline if line.key == "wait"]
    assert [(line.label, line.note, _seconds(line)) for line in waits] == [
        (THROTTLED, "3 waits", 36.0),
        (THROTTLED, "", 2.0),
    ]
    assert all(line.is_mark for line in waits)


def test_short_phases_in_a_row_are_one_line(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(1), completed_at=after(200))
    for number in range(5):
        add_event(run, "phase", f"Listing {number}", 2, after_ms=100 * number)
    add_event(run, "phase", "Reading", 3, after_ms=500)

    assert ("5 short phases", 0.5) in lines_of(run)
    assert ("Reading", 198.5) in lines_of(run)


def test_the_bars_lie_one_after_the_other(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(50), completed_at=after(100))
    add_event(run, "phase", "Reading", 51, after_ms=0)

    timeline, _ = load_timeline(run)

    reading = next(line for line in timeline if line.label == "Reading")
    assert (reading.start, reading.width) == (WIDTH // 2, WIDTH // 2)
    assert all(line.start + line.width <= WIDTH + 2 for line in timeline)


def test_a_cancellation_names_the_user_and_the_reason(tenant: Tenant, manager: User) -> None:
    running, queued = create_running_run(tenant), create_queued_run(tenant, 2)
    service = OperationRunService()

    service.request_cancel(running, by=manager, reason="the wrong tenant")
    service.request_cancel(queued, by=manager, reason="not tonight")

    running.refresh_from_db()
    queued.refresh_from_db()
    text = "Cancellation requested by marc. Reason: the wrong tenant"
    assert text in [label for label, _ in lines_of(running)]
    assert queued.outcome == RunOutcome.CANCELLED
    end = load_timeline(queued)[0][-1]
    assert end.note == "Cancelled by marc before it started. Reason: not tonight"


def test_a_blocked_run_was_recorded_and_ended(tenant: Tenant) -> None:
    run = create_run(tenant, blocked=True, completed_at=after(1))

    assert [label for label, _ in lines_of(run)][-1] == "Blocked"


def test_the_row_is_left_after_retention(tenant: Tenant) -> None:
    run = create_run(tenant, succeeded=True, started_at=after(1), completed_at=after(2))

    timeline, counts = load_timeline(run)

    assert [line.label for line in timeline] == ["Recorded", "Published", "Claimed", "Succeeded"]
    assert (counts.lines, counts.last, counts.deduplicated) == (0, 0, 0)


def test_the_lines_that_match_are_counted_with_the_timeline(tenant: Tenant) -> None:
    run = create_run(tenant, running=True, started_at=after(1))
    for message in ("100 % read", "100 files", "a\\b"):
        add_event(run, "note", message, 2)
    append_events([(run.pk, Event("note", "100 % lost", EventLevel.WARNING))])
    append_events([(run.pk, Event("joined", "Deduplicated request."))])

    assert load_timeline(run)[1].lines == 5
    assert load_timeline(run, text="100 %")[1].matching == 2
    assert load_timeline(run, text="a\\b")[1].matching == 1
    assert load_timeline(run, [EventLevel.WARNING])[1].matching == 1
    assert load_timeline(run)[1].deduplicated == 1


def test_the_newest_lines_are_read_with_the_timeline(tenant: Tenant) -> None:
    run = create_run(tenant, running=True, started_at=after(1))
    add_event(run, "phase", "Reading", 2)
    for number in range(4):
        add_event(run, "note", f"Line {number}", 3)
    timeline, counts = load_timeline(run)

    shown, newest = load_timeline(run, newest=2)

    assert [line.message for line in newest.newest] == ["Line 2", "Line 3"]
    assert [stage.label for stage in shown] == [stage.label for stage in timeline]
    assert (newest.lines, counts.newest) == (5, [])


# --- what workers report ------------------------------------------------------------------------


def test_a_worker_reports_phases_once_and_details_in_place(
    tenant: Tenant, use_handler: Any
) -> None:
    def handler(run: ActiveRun) -> None:
        run.set_phase("Listing")
        for number in range(3):
            run.set_phase("Listing", f"{number} so far")
        run.set_phase("Reading")

    use_handler(handler)
    run = run_now(create_queued_run(tenant))

    phases = run.events.filter(kind="phase").order_by("sequence")
    assert [phase.message for phase in phases] == ["Listing", "Reading"]
    assert run.phase == "Reading"
    assert all(phase.data["after_ms"] >= 0 and phase.actor == run.worker for phase in phases)


def test_a_worker_that_changes_its_phase_forever_has_a_limited_timeline(
    tenant: Tenant, use_handler: Any
) -> None:
    def handler(run: ActiveRun) -> None:
        for number in range(MAX_STAGES + 50):
            run.set_phase(f"Phase {number}")

    use_handler(handler)
    run = run_now(create_queued_run(tenant))

    assert run.events.filter(kind="phase").count() == MAX_STAGES < MAX_EVENTS
    assert run.phase == f"Phase {MAX_STAGES + 49}"


def test_a_wait_is_reported_once_for_all_of_its_slices(tenant: Tenant, use_handler: Any) -> None:
    def handler(run: ActiveRun) -> None:
        on_wait = show_waits(run)
        for seconds in (5.0, 3.0):
            for remaining in (seconds, seconds - SLICE_SECONDS):
                on_wait(remaining, WaitReason.THROTTLED)
        on_wait(30.0, WaitReason.PACING)

    use_handler(handler)
    run = run_now(create_queued_run(tenant))

    waits = run.events.filter(kind="wait").order_by("sequence")
    assert [wait.message for wait in waits] == [
        f"{THROTTLED}: waiting 5 s.",
        f"{THROTTLED}: waiting 3 s.",
    ]
    assert {wait.level for wait in waits} == {EventLevel.WARNING}
    assert run.phase == f"{THROTTLED}: continuing in 1 s"
