"""Why a queued run has not started, from facts: recorded, handed over, taken."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q
from django.utils import timezone

from operations.catalog import OperationCatalog
from operations.models import OperationRun
from operations.states import RunStatus
from web.durations import ago

#: Counting further would tell nobody more.
MANY = 100
NOTHING_LOST = "Nothing is lost: it is sent until it is taken."
A_WHILE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class QueuePosition:
    """What is known about a queued run's way to its worker."""

    queue: str
    ahead: int
    published_at: dt.datetime | None
    next_publish_at: dt.datetime | None
    attempts: int
    start_deadline: dt.timedelta | None
    refusal: str = ""


def load_queue_position(run: OperationRun) -> QueuePosition:
    """The facts of a queued run; two queries."""
    entry = run.catalog
    return QueuePosition(
        queue=entry.queue.value if entry else "unknown",
        ahead=_ahead(run),
        published_at=run.published_at,
        next_publish_at=run.next_publish_at,
        attempts=run.publish_attempts,
        start_deadline=entry.start_deadline if entry else None,
        refusal=_refusal(run),
    )


def describe_queue_position(facts: QueuePosition, now: dt.datetime | None = None) -> str:
    """The facts in sentences for whoever waits."""
    now = now or timezone.now()
    if facts.published_at is None:
        return f"{_not_handed_over(facts, now)} {NOTHING_LOST}"
    text = f"It was handed to the queue “{facts.queue}”{_since(now - facts.published_at)}"
    if facts.refusal:
        return f"{text}, which has refused it since: {facts.refusal}. {NOTHING_LOST}"
    if facts.ahead:
        return f"{text}; {_ahead_text(facts.ahead)} ahead of it there."
    text = f"{text}, and no worker has taken it yet."
    if now - facts.published_at >= A_WHILE:
        text += f" Check that a worker listens to “{facts.queue}” and is not busy."
    return text


def _since(age: dt.timedelta) -> str:
    """Whole minutes, and none at first: a sentence that ticks would be read out again and again."""
    return f" {ago(age.total_seconds())}" if age >= A_WHILE else ""


def _not_handed_over(facts: QueuePosition, now: dt.datetime) -> str:
    text = "It is recorded, but the queue has not taken it yet"
    if facts.refusal:
        text += f": {facts.refusal}"
    if facts.attempts:
        text += f" ({facts.attempts} {'try' if facts.attempts == 1 else 'tries'} so far)"
    if facts.next_publish_at and facts.next_publish_at - now >= A_WHILE:
        text += f"; the next try is {ago((now - facts.next_publish_at).total_seconds())}"
    return f"{text}."


def _refusal(run: OperationRun) -> str:
    """Why the broker has not taken the message, unless it has taken one since."""
    refusals = run.events.filter(kind="publish_refused")
    if run.published_at:
        refusals = refusals.filter(at__gt=run.published_at)
    refused = refusals.order_by("-sequence").first()
    return str(refused.data.get("why", "")) if refused else ""


def _ahead_text(ahead: int) -> str:
    if ahead > MANY:
        return f"more than {MANY} runs are"
    return "one run is" if ahead == 1 else f"{ahead} runs are"


def _ahead(run: OperationRun) -> int:
    entry = run.catalog
    if entry is None:
        return 0
    shared = [
        key.value for key, other in OperationCatalog.all().items() if other.queue == entry.queue
    ]
    earlier = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    queued = OperationRun.objects.filter(earlier, status=RunStatus.QUEUED, type__in=shared)
    return queued.order_by()[: MANY + 1].count()
