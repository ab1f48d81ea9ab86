"""The summary of a run in each state, its queue position, durations and charts."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from operations.models import OperationRun
from operations.presentation.charts import build_day_chart
from operations.presentation.queue_position import QueuePosition, describe_queue_position
from operations.presentation.summary import state_of, summarize
from operations.states import RunOutcome, RunStatus
from tenancy.models import Tenant, User, Workspace
from tests.support.factories import failure
from web.durations import ago, due, duration_text

NOW = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)


def build_run(**columns: object) -> OperationRun:
    """Build a run without saving it."""
    workspace = Workspace(name="Contoso", slug="contoso")
    defaults: dict[str, object] = {
        "pk": 7,
        "workspace": workspace,
        "tenant": Tenant(name="Fabrikam", workspace=workspace),
        "type": "backup_schedule.run_now",
        "created_at": NOW,
    }
    return OperationRun(**defaults | columns)


def build_running_run(**columns: object) -> OperationRun:
    """Build a running run whose lease does not end during the tests."""
    now = timezone.now()
    lease = {"heartbeat_at": now + dt.timedelta(days=1), "worker": "w1"}
    return build_run(**{"status": RunStatus.RUNNING, "started_at": now} | lease | columns)


def build_ended_run(
    outcome: RunOutcome, *failures: dict[str, object], **counts: int
) -> OperationRun:
    return build_run(
        status=RunStatus.COMPLETED,
        outcome=outcome,
        started_at=NOW,
        completed_at=NOW,
        summary_counts=counts,
        failure_summary=list(failures),
    )


TENANT_SUSPENDED = failure("tenant_suspended", "It is suspended.", next_step="Set it to active.")

SUMMARIES = [
    (build_run(), "queued", "is waiting for a worker.", "", ""),
    (build_running_run(), "running", "is running.", "No items processed yet.", ""),
    (
        build_running_run(summary_counts={"total": 40, "processed": 12, "failed": 1}),
        "running",
        "is running.",
        "12 of 40 items processed, 1 failed.",
        "",
    ),
    (
        build_running_run(cancel_requested_at=NOW, cancel_requested_by=User(username="olga")),
        "stopping",
        "is stopping.",
        "Cancellation was requested by olga. The run stops after the current item. No items processed yet.",
        "Processed items are not rolled back.",
    ),
    (
        build_running_run(heartbeat_at=NOW),
        "silent",
        "is running, but its worker is not responding.",
        "w1 has not renewed its lease. No items processed yet.",
        "The run ends automatically if the worker is lost. Processed items are not rolled back.",
    ),
    (
        build_ended_run(
            RunOutcome.SUCCEEDED, total=40, processed=40, succeeded=40, created=2, unchanged=38
        ),
        "succeeded",
        "succeeded.",
        "All 40 items processed (2 created, 38 unchanged).",
        "",
    ),
    (
        build_ended_run(RunOutcome.SUCCEEDED, total=1, processed=1, succeeded=1),
        "succeeded",
        "succeeded.",
        "1 item processed.",
        "",
    ),
    (
        build_ended_run(RunOutcome.SUCCEEDED),
        "succeeded",
        "succeeded.",
        "There were no items to process.",
        "",
    ),
    (
        build_ended_run(
            RunOutcome.PARTIALLY_SUCCEEDED,
            TENANT_SUSPENDED,
            total=4000,
            processed=3990,
            succeeded=3980,
            failed=9,
            skipped=1,
        ),
        "partially_succeeded",
        "partially succeeded.",
        "3,980 of 4,000 items succeeded, 9 failed, 1 skipped, 10 not attempted. Cause: tenant suspended.",
        "Set it to active.",
    ),
    (
        build_ended_run(RunOutcome.FAILED, TENANT_SUSPENDED, total=4, processed=4, failed=4),
        "failed",
        "failed.",
        "All 4 items failed. Cause: tenant suspended.",
        "Set it to active.",
    ),
    (
        build_ended_run(
            RunOutcome.FAILED,
            failure("unexpected_error", "An error (reference 0123).", next_step="Retry."),
            total=9,
            processed=3,
            succeeded=3,
        ),
        "failed",
        "failed.",
        "An error (reference 0123). 3 of 9 items processed.",
        "Retry.",
    ),
    (
        build_ended_run(RunOutcome.FAILED),
        "failed",
        "failed.",
        "No cause was recorded.",
        "",
    ),
    (
        build_ended_run(RunOutcome.BLOCKED, TENANT_SUSPENDED),
        "blocked",
        "did not start.",
        "It is suspended.",
        "Set it to active.",
    ),
    (
        build_run(status=RunStatus.COMPLETED, outcome=RunOutcome.CANCELLED, completed_at=NOW),
        "cancelled",
        "was cancelled before it started.",
        "No items were processed.",
        "",
    ),
    (
        build_ended_run(RunOutcome.CANCELLED, total=40, processed=7, succeeded=7),
        "cancelled",
        "was cancelled.",
        "7 of 40 items processed. Processed items are not rolled back.",
        "Retry the run to process the remaining items.",
    ),
]


@pytest.mark.parametrize(("run", "key", "headline", "detail", "next_step"), SUMMARIES)
@pytest.mark.django_db
def test_each_state_has_a_summary(run, key, headline, detail, next_step):
    summary = summarize(run)

    assert state_of(run).key == key
    assert summary.headline == f"Backup now for Fabrikam {headline}"
    assert (summary.detail, summary.next_step) == (detail, next_step)


def test_the_summary_of_a_workspace_run_names_the_workspace():
    assert "for Contoso" in summarize(build_run(tenant=None)).headline


def queue_position(**facts: object) -> QueuePosition:
    defaults: dict[str, object] = {
        "queue": "backup",
        "ahead": 0,
        "published_at": NOW,
        "next_publish_at": None,
        "attempts": 1,
        "start_deadline": None,
    }
    return QueuePosition(**defaults | facts)  # type: ignore[arg-type]


RETRY_NOTE = "The run is safe: its message is sent again until a worker starts it."
QUEUE_POSITIONS = [
    (queue_position(), 5, "It was sent to the queue “backup”. No worker has started it yet."),
    (
        queue_position(),
        240,
        "It was sent to the queue “backup” 4 min ago. No worker has started it yet. Check that a worker listens to “backup” and is not busy.",
    ),
    (queue_position(ahead=1), 5, "It was sent to the queue “backup”. 1 run is ahead of it."),
    (
        queue_position(ahead=101),
        5,
        "It was sent to the queue “backup”. More than 100 runs are ahead of it.",
    ),
    (
        queue_position(refusal="it cannot be reached"),
        600,
        f"It was sent to the queue “backup” 10 min ago. The queue has refused further messages: it cannot be reached. {RETRY_NOTE}",
    ),
    (
        queue_position(published_at=None, attempts=0),
        5,
        f"The queue has not accepted its message yet. {RETRY_NOTE}",
    ),
    (
        queue_position(
            published_at=None, attempts=3, next_publish_at=NOW + dt.timedelta(minutes=5)
        ),
        0,
        f"The queue has not accepted its message yet (3 attempts so far). The next attempt is in 5 min. {RETRY_NOTE}",
    ),
]


@pytest.mark.parametrize(("position", "seconds", "text"), QUEUE_POSITIONS)
def test_a_queue_position_explains_why_the_run_waits(position, seconds, text):
    assert describe_queue_position(position, NOW + dt.timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "under 1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (80, "1 min 20 s"),
        (7500, "2 h 5 min"),
        (86_400, "1 day"),
        (3 * 86_400 + 4 * 3600, "3 days 4 h"),
        (-5, "0 s"),
    ],
)
def test_a_duration_is_shown_in_words(seconds, text):
    assert duration_text(dt.timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (-3, "just now"), (40, "40 s ago"), (3600, "1 h ago"), (-7200, "in 2 h"),
     (86_400, "1 day ago"), (200_000, "2 days ago")],
)  # fmt: skip
def test_an_age_is_shown_in_words(seconds, text):
    assert ago(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-7200, "in 2 h"), (-3, "now"), (40, "now"), (180, "due 3 min ago")]
)
def test_a_time_that_is_due_is_shown_in_words(seconds, text):
    assert due(seconds) == text


def test_the_chart_has_a_text_alternative():
    chart = build_day_chart(
        [(NOW, "succeeded", 3), (NOW, "failed", 1)], NOW, dt.timezone(dt.timedelta(hours=2))
    )

    assert chart.text == "In the last 24 hours: 3 succeeded, 1 failed."
    assert chart.bars[-1].text == "09:00: 3 succeeded, 1 failed"
    assert sum(block.height for block in chart.bars[-1].blocks) == chart.height


def test_a_day_without_runs_has_a_chart_without_bars():
    chart = build_day_chart([], NOW, dt.UTC)

    assert chart.total == 0
    assert all(not bar.blocks for bar in chart.bars)
