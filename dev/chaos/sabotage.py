"""What a negative control changes in the code of every process of the campaign."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from typing import Any

from celery.signals import worker_ready
from django.db import connection

from backups import settling
from operations import services
from operations.delivery import relay
from operations.events import Event, append_events
from operations.maintenance import prune, reconciler, retention
from operations.services import OperationRunService
from operations.states import RunOutcome
from operations.worker import execution
from operations.worker.active_run import ActiveRun
from restores.writing import Writer

#: Which runs are affected by a defect that affects some of them.
_CHANCE = random.Random(1)  # noqa: S311 - does not matter
SOME = 0.2


def break_process(control: str) -> None:
    """Break the promise of the control in this process."""
    if control in _BREAKS:
        _BREAKS[control]()


def _replace(owner: Any, name: str, build: Callable[[Any], Any]) -> None:
    """Replace a function of a module or class by what `build` makes of it."""
    setattr(owner, name, build(getattr(owner, name)))


def _break_relay() -> None:
    _replace(relay, "relay_once", lambda _: lambda limit=500: 0)


def _use_lease(seconds: float) -> None:
    """Let the reconciler end the runs that sent no heartbeat for this long."""
    _replace(reconciler, "_parameters", lambda original: lambda: original() | {"lease": seconds})


_CLAIM_UNCONDITIONALLY = """
UPDATE operation_runs SET status = 'running', outcome = 'pending', completed_at = NULL, worker = %s,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), next_publish_at = NULL
WHERE id = %s RETURNING id
"""


def _break_fence() -> None:
    def claim(service: Any, run_id: int, worker: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(_CLAIM_UNCONDITIONALLY, [worker, run_id])
            is_claimed = cursor.fetchone() is not None
        return service._load(run_id) if is_claimed else None  # noqa: SLF001

    _replace(OperationRunService, "claim", lambda _: claim)


def _break_claim() -> None:
    def build(original: Any) -> Any:
        def claim(service: Any, run_id: int, worker: str) -> Any:
            run = original(service, run_id, worker)
            if run:
                append_events([(run.pk, Event("started", "Started again."))])
            return run

        return claim

    _replace(OperationRunService, "claim", build)


def _break_late_write() -> None:
    def build(original: Any) -> Any:
        def record_late_write(service: Any, run_id: int, worker: str) -> None:
            original(service, run_id, worker)
            append_events([(run_id, Event("note", "A late report."))])

        return record_late_write

    _replace(OperationRunService, "record_late_write", build)


def _break_restores() -> None:
    def build(original: Any) -> Any:
        def create(writer: Any, write: Any) -> None:
            original(writer, write)
            original(writer, write)

        return create

    _replace(Writer, "_create", build)


def _break_counts() -> None:
    def build(original: Any) -> Any:
        def count(run: Any, **increments: int) -> None:
            original(run, **increments)
            if increments.get("succeeded"):
                original(run, processed=1, succeeded=1)

        return count

    _replace(ActiveRun, "_count", build)


def _end_some_as(outcome: RunOutcome) -> None:
    """Give some runs that succeeded another outcome."""

    def build(original: Any) -> Any:
        def derive_outcome(*arguments: Any) -> RunOutcome:
            derived: RunOutcome = original(*arguments)
            is_changed = derived == RunOutcome.SUCCEEDED and _CHANCE.random() < SOME
            return outcome if is_changed else derived

        return derive_outcome

    _replace(services, "derive_outcome", build)


def _break_timeline() -> None:
    def build(original: Any) -> Any:
        def ended_event(*arguments: Any) -> Event:
            event: Event = original(*arguments)
            return Event("joined", event.message) if _CHANCE.random() < SOME else event

        return ended_event

    _replace(services, "_ended_event", build)


def _break_reasons() -> None:
    def build(original: Any) -> Any:
        def publish(wakeups: Any) -> Any:
            if _CHANCE.random() < SOME:
                raise ValueError("the sabotaged publisher")
            return original(wakeups)

        return publish

    _replace(services, "publish", build)


def _break_retry() -> None:
    _replace(execution, "retry_after_loss", lambda _: lambda run: None)
    _replace(reconciler, "retry_lost_runs", lambda _: lambda runs: None)


def _break_acknowledgment() -> None:
    def build(original: Any) -> Any:
        def acknowledge(service: Any, run: Any, *, by: Any) -> Any:
            append_events([(run.pk, Event("acknowledged", "Acknowledged.", actor=by.username))])
            return original(service, run, by=by)

        return acknowledge

    _replace(OperationRunService, "acknowledge", build)


def _break_missed_slot() -> None:
    def build(original: Any) -> Any:
        def write_settled(plans: Any) -> None:
            original(plans)
            ids = [plan.schedule.pk for plan in plans if _CHANCE.random() < 0.5]
            with connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE backup_schedules SET next_run_at = next_run_at + interval '2 minutes',"
                    " settled_until = settled_until + interval '2 minutes' WHERE id = ANY(%s)",
                    [ids],
                )

        return write_settled

    _replace(settling, "_write_settled", build)


def _break_retention() -> None:
    policy = retention.RetentionPolicy.configured()
    nothing = policy.default._replace(details=policy.default.row * 0, row=policy.default.row * 0)
    everything = retention.RetentionPolicy(
        default=nothing, problem=nothing, keep_last=1, tombstones=policy.tombstones
    )
    _replace(prune, "RetentionPolicy", lambda _: type("", (), {"configured": lambda: everything}))


def _break_worker() -> None:
    def end_soon(**_: object) -> None:
        threading.Timer(8, lambda: os._exit(3)).start()

    worker_ready.connect(end_soon, weak=False)


def _break_request() -> None:
    def request_cancel(*_: Any, **__: Any) -> None:
        raise RuntimeError("the sabotaged cancellation")

    _replace(OperationRunService, "request_cancel", lambda _: request_cancel)


_BREAKS: dict[str, Callable[[], None]] = {
    "relay": _break_relay,
    "reconciler": lambda: _use_lease(45),
    "lease": lambda: _use_lease(0.3),
    "fence": _break_fence,
    "claim": _break_claim,
    "late write": _break_late_write,
    "restores": _break_restores,
    "counts": _break_counts,
    "outcome": lambda: _end_some_as(RunOutcome.PARTIALLY_SUCCEEDED),
    "cancel": lambda: _end_some_as(RunOutcome.CANCELLED),
    "timeline": _break_timeline,
    "reasons": _break_reasons,
    "retry": _break_retry,
    "acknowledgment": _break_acknowledgment,
    "missed slot": _break_missed_slot,
    "retention": _break_retention,
    "worker": _break_worker,
    "request": _break_request,
}
