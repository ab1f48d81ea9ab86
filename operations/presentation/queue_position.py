"""The queue position of a queued run: why it has not started yet."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Q

from operations.catalog import OperationCatalog
from operations.models import OperationRun
from operations.states import RunStatus
from tenancy.clock import request_now
from web.durations import ago

#: Larger counts of runs ahead are shown as “more than”.
MAX_COUNTED = 100
RETRY_NOTE = "The run is safe: its message is sent again until a worker starts it."
#: Shorter times are not shown: a screen reader would read every change aloud.
MIN_SHOWN = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class QueuePosition:
    """What is known about the queue position of a run."""

    queue: str
    ahead: int
    published_at: dt.datetime | None
    next_publish_at: dt.datetime | None
    attempts: int
    start_deadline: dt.timedelta | None
    refusal: str = ""


def load_queue_position(run: OperationRun) -> QueuePosition:
    """Load the queue position of a queued run with two queries."""
    entry = run.catalog
    return QueuePosition(
        queue=entry.queue.value if entry else "unknown",
        ahead=_count_ahead(run),
        published_at=run.published_at,
        next_publish_at=run.next_publish_at,
        attempts=run.publish_attempts,
        start_deadline=entry.start_deadline if entry else None,
        refusal=_refusal(run),
    )


def describe_queue_position(position: QueuePosition, now: dt.datetime | None = None) -> str:
    """Describe why the run has not started yet."""
    now = now or request_now()
    if position.published_at is None:
        return f"{_describe_unpublished(position, now)} {RETRY_NOTE}"
    age = now - position.published_at
    text = f"It was sent to the queue “{position.queue}”"
    if age >= MIN_SHOWN:
        text += f" {ago(age.total_seconds())}"
    if position.refusal:
        return f"{text}. The queue has refused further messages: {position.refusal}. {RETRY_NOTE}"
    if position.ahead > MAX_COUNTED:
        return f"{text}. More than {MAX_COUNTED} runs are ahead of it."
    if position.ahead:
        runs = "1 run is" if position.ahead == 1 else f"{position.ahead} runs are"
        return f"{text}. {runs} ahead of it."
    text += ". No worker has started it yet."
    if age >= MIN_SHOWN:
        text += f" Check that a worker listens to “{position.queue}” and is not busy."
    return text


def _describe_unpublished(position: QueuePosition, now: dt.datetime) -> str:
    text = "The queue has not accepted its message yet"
    if position.refusal:
        text += f": {position.refusal}"
    if position.attempts:
        attempts = "1 attempt" if position.attempts == 1 else f"{position.attempts} attempts"
        text += f" ({attempts} so far)"
    text += "."
    if position.next_publish_at and position.next_publish_at - now >= MIN_SHOWN:
        text += f" The next attempt is {ago((now - position.next_publish_at).total_seconds())}."
    return text


def _refusal(run: OperationRun) -> str:
    """Return the last refusal of the broker, unless it has accepted a message since."""
    refusals = run.events.filter(kind="publish_refused")
    if run.published_at:
        refusals = refusals.filter(at__gt=run.published_at)
    event = refusals.order_by("-sequence").first()
    return str(event.data.get("why", "")) if event else ""


def _count_ahead(run: OperationRun) -> int:
    entry = run.catalog
    if entry is None:
        return 0
    types_of_queue = [
        key.value for key, other in OperationCatalog.all().items() if other.queue == entry.queue
    ]
    earlier = Q(created_at__lt=run.created_at) | Q(created_at=run.created_at, pk__lt=run.pk)
    queued = OperationRun.objects.filter(earlier, status=RunStatus.QUEUED, type__in=types_of_queue)
    return queued.order_by()[: MAX_COUNTED + 1].count()
