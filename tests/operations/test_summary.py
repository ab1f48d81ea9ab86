"""A run told in one sentence, state by state; why it waits; how long things take."""

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
from web.durations import ago, duration_text

NOW = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)


def a_run(**columns: object) -> OperationRun:
    """A run that no database has seen."""
    workspace = Workspace(name="Contoso", slug="contoso")
    wanted: dict[str, object] = {
        "pk": 7,
        "workspace": workspace,
        "tenant": Tenant(name="Fabrikam", workspace=workspace),
        "type": "backup_schedule.run_now",
        "created_at": NOW,
    }
    return OperationRun(**wanted | columns)


def running(**columns: object) -> OperationRun:
    """A run whose worker is alive, however long after now it is looked at."""
    now = timezone.now()
    lease = {"heartbeat_at": now + dt.timedelta(days=1), "worker": "w1"}
    return a_run(**{"status": RunStatus.RUNNING, "started_at": now} | lease | columns)


def ended(outcome: RunOutcome, *failures: dict[str, object], **counts: int) -> OperationRun:
    return a_run(
        status=RunStatus.COMPLETED,
        outcome=outcome,
        started_at=NOW,
        completed_at=NOW,
        summary_counts=counts,
        failure_summary=list(failures),
    )


TENANT_SUSPENDED = failure("tenant_suspended", "It is suspended.", next_step="Set it to active.")

STORIES = [
    (a_run(), "queued", "is waiting for a worker.", "", ""),
    (running(), "running", "is running.", "No item has been reported yet.", ""),
    (
        running(summary_counts={"total": 40, "processed": 12, "failed": 1}),
        "running",
        "is running.",
        "12 of 40 items done, 1 of them failed.",
        "",
    ),
    (
        running(cancel_requested_at=NOW, cancel_requested_by=User(username="olga")),
        "stopping",
        "was asked to stop by olga.",
        "It stops after the item it is working on. No item has been reported yet.",
        "Stopping is not a rollback: what is done stays done.",
    ),
    (
        running(heartbeat_at=NOW),
        "silent",
        "has lost touch with its worker.",
        "w1 has not reported within its lease. No item has been reported yet.",
        "The run is closed as soon as the worker is known to be lost; what is done stays done.",
    ),
    (
        ended(RunOutcome.SUCCEEDED, total=40, processed=40, succeeded=40, created=2, unchanged=38),
        "succeeded",
        "succeeded.",
        "All 40 items done (2 created, 38 unchanged).",
        "",
    ),
    (
        ended(RunOutcome.SUCCEEDED, total=1, processed=1, succeeded=1),
        "succeeded",
        "succeeded.",
        "The one item done.",
        "",
    ),
    (ended(RunOutcome.SUCCEEDED), "succeeded", "succeeded.", "There was nothing to do.", ""),
    (
        ended(
            RunOutcome.PARTIALLY_SUCCEEDED,
            TENANT_SUSPENDED,
            total=4000,
            processed=3990,
            succeeded=3980,
            failed=9,
            skipped=1,
        ),
        "partially_succeeded",
        "succeeded in part.",
        "3,980 of 4,000 items succeeded, 9 failed, 1 skipped, 10 not reached; the cause: tenant suspended.",
        "Set it to active.",
    ),
    (
        ended(RunOutcome.FAILED, TENANT_SUSPENDED, total=4, processed=4, failed=4),
        "failed",
        "failed.",
        "All 4 items failed; the cause: tenant suspended.",
        "Set it to active.",
    ),
    (
        ended(
            RunOutcome.FAILED,
            failure("unexpected_error", "An error (reference 0123).", next_step="Retry."),
            total=9,
            processed=3,
            succeeded=3,
        ),
        "failed",
        "failed.",
        "An error (reference 0123). 3 of 9 items done.",
        "Retry.",
    ),
    (
        ended(RunOutcome.FAILED),
        "failed",
        "failed.",
        "Nothing more is known about the cause.",
        "",
    ),
    (
        ended(RunOutcome.BLOCKED, TENANT_SUSPENDED),
        "blocked",
        "did not start.",
        "It is suspended.",
        "Set it to active.",
    ),
    (
        a_run(status=RunStatus.COMPLETED, outcome=RunOutcome.CANCELLED, completed_at=NOW),
        "cancelled",
        "was cancelled before it started.",
        "Nothing was done.",
        "",
    ),
    (
        ended(RunOutcome.CANCELLED, total=40, processed=7, succeeded=7),
        "cancelled",
        "was cancelled.",
        "7 of 40 items done. What was done stays done.",
        "Retry to do the rest.",
    ),
]


@pytest.mark.parametrize(("run", "key", "headline", "detail", "next_step"), STORIES)
def test_a_run_is_told_in_one_sentence(run, key, headline, detail, next_step):
    story = summarize(run)

    assert state_of(run).key == key
    assert story.headline == f"Backup now for Fabrikam {headline}"
    assert (story.detail, story.next_step) == (detail, next_step)


def test_a_workspace_run_is_told_of_its_workspace():
    assert "for Contoso" in summarize(a_run(tenant=None)).headline


def waiting(**facts: object) -> QueuePosition:
    known: dict[str, object] = {
        "queue": "backup",
        "ahead": 0,
        "published_at": NOW,
        "next_publish_at": None,
        "attempts": 1,
        "start_deadline": None,
    }
    return QueuePosition(**known | facts)  # type: ignore[arg-type]


LOST_NOTHING = "Nothing is lost: it is sent until it is taken."
WAITS = [
    (waiting(), 5, "It was handed to the queue “backup”, and no worker has taken it yet."),
    (
        waiting(),
        240,
        "It was handed to the queue “backup” 4 min ago, and no worker has taken it yet. Check that a worker listens to “backup” and is not busy.",
    ),
    (waiting(ahead=1), 5, "It was handed to the queue “backup”; one run is ahead of it there."),
    (
        waiting(ahead=101),
        5,
        "It was handed to the queue “backup”; more than 100 runs are ahead of it there.",
    ),
    (
        waiting(refusal="it cannot be reached"),
        600,
        f"It was handed to the queue “backup” 10 min ago, which has refused it since: it cannot be reached. {LOST_NOTHING}",
    ),
    (
        waiting(published_at=None, attempts=0),
        5,
        f"It is recorded, but the queue has not taken it yet. {LOST_NOTHING}",
    ),
    (
        waiting(published_at=None, attempts=3, next_publish_at=NOW + dt.timedelta(minutes=5)),
        0,
        f"It is recorded, but the queue has not taken it yet (3 tries so far); the next try is in 5 min. {LOST_NOTHING}",
    ),
]


@pytest.mark.parametrize(("facts", "seconds", "text"), WAITS)
def test_a_queued_run_says_why_it_waits(facts, seconds, text):
    assert describe_queue_position(facts, NOW + dt.timedelta(seconds=seconds)) == text


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
def test_a_duration_in_words(seconds, text):
    assert duration_text(dt.timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (-3, "just now"), (40, "40 s ago"), (3600, "1 h ago"), (-7200, "in 2 h"),
     (86_400, "1 day ago"), (200_000, "2 days ago")],
)  # fmt: skip
def test_how_long_ago(seconds, text):
    assert ago(seconds) == text


def test_the_chart_tells_its_numbers_in_words_too():
    chart = build_day_chart(
        [(NOW, "succeeded", 3), (NOW, "failed", 1)], NOW + dt.timedelta(minutes=5)
    )

    assert chart.words == "In the last 24 hours: 3 succeeded, 1 failed."
    assert chart.bars[-1].words == "07:00 UTC: 3 succeeded, 1 failed"
    assert sum(block.height for block in chart.bars[-1].blocks) == chart.height


def test_a_day_without_runs_has_a_chart_without_bars():
    chart = build_day_chart([], NOW)

    assert chart.total == 0
    assert all(not bar.blocks for bar in chart.bars)
