"""The tick of schedules: create exactly one run for every due slot, however many ticks there are.

Beat only triggers a tick; the rows say what is due. A tick locks due schedules, skips those that
another tick has locked, and writes their runs and their next slots in the same transaction.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from backups.misfire import Decision, Missed, decide
from backups.models import BackupSchedule, MisfirePolicy
from backups.requests import scheduled_request
from operations.context import format_slot
from operations.dispatch import RunRequest
from operations.failpoints import failpoint
from operations.reasons import SafeError
from operations.services import DispatchResult, OperationRunService
from tenancy.db import database_now

log = logging.getLogger(__name__)

MAX_ROUNDS = 20
#: A run that is not to start, and the reason.
BlockedRequest = tuple[RunRequest, SafeError]


@dataclass(frozen=True)
class TickResult:
    """The number of schedules that a tick locked, and of runs that it started or blocked."""

    schedules: int = 0
    started: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class Plan:
    """What a tick does with the due slots of one schedule."""

    schedule: BackupSchedule
    decision: Decision


def tick_all(limit: int = 500) -> None:
    """Tick until nothing is due; each round is a separate transaction."""
    for _ in range(MAX_ROUNDS):
        if tick(limit=limit).schedules < limit:
            return


@transaction.atomic
def tick(now: dt.datetime | None = None, limit: int = 500) -> TickResult:
    """Account for the due slots of up to `limit` schedules; `now` is the database's by default.

    A slot starts a run, or it is recorded as blocked: `missed` after an outage (one row for a
    range), `previous_run_active`, `tenant_suspended`.
    """
    now = now or database_now()
    return account_for(_lock_due_schedules(now, limit), now)


def account_for(due: Sequence[BackupSchedule], now: dt.datetime) -> TickResult:
    """Create a run for every slot of these schedules up to `now`; the caller has locked them."""
    plans = [plan for schedule in due if (plan := _plan(schedule, now))]
    service = OperationRunService()
    blocked = service.block_many([*_missed_requests(plans, now), *_suspended_requests(plans)])
    requests = [
        scheduled_request(plan.schedule, plan.decision.run_slot)
        for plan in plans
        if plan.decision.run_slot and plan.schedule.tenant.is_active
    ]
    results = service.dispatch_many(requests, record_deduplicated=False)
    blocked += service.block_many(_overlapping_requests(requests, results))
    failpoint("tick.before_next_slots")
    _write_next_slots(plans)
    failpoint("tick.before_commit")
    started = sum(result.created for result in results)
    return TickResult(schedules=len(due), started=started, blocked=len(blocked))


_LOCK_DUE = """
SELECT id FROM backup_schedules
WHERE paused_at IS NULL AND next_run_at <= %(now)s
  AND next_run_at + make_interval(secs => spread_seconds) <= %(now)s
ORDER BY next_run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


def _lock_due_schedules(now: dt.datetime, limit: int) -> list[BackupSchedule]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_DUE, {"now": now, "limit": limit})
        ids = [schedule_id for (schedule_id,) in cursor.fetchall()]
    return list(BackupSchedule.objects.with_scope().filter(pk__in=ids).order_by("next_run_at"))


def _plan(schedule: BackupSchedule, now: dt.datetime) -> Plan | None:
    """Plan the due slots of a schedule; pause it and return None if its times cannot be computed.

    One such schedule must not prevent the backups of the others.
    """
    if schedule.next_run_at is None:
        return None
    try:
        decision = decide(
            cron=schedule.cron,
            timezone=schedule.timezone,
            due=schedule.next_run_at,
            until=now - schedule.spread,
            catch_up=schedule.misfire_policy == MisfirePolicy.FIRE_LATEST,
            grace=schedule.misfire_grace,
        )
    except Exception:
        log.exception("the times of schedule %s could not be computed; it is paused", schedule.pk)
        reason = "Its times could not be computed: check the cron expression and the time zone."
        unreadable = BackupSchedule.objects.filter(pk=schedule.pk)
        unreadable.update(paused_at=now, pause_reason=reason, next_run_at=None)
        return None
    return Plan(schedule, decision)


def _suspended_requests(plans: Sequence[Plan]) -> list[BlockedRequest]:
    """The slots that cannot start because their tenant is suspended."""
    return [
        (
            scheduled_request(plan.schedule, plan.decision.run_slot),
            SafeError("tenant_suspended", tenant=plan.schedule.tenant.name),
        )
        for plan in plans
        if plan.decision.run_slot and not plan.schedule.tenant.is_active
    ]


def _missed_requests(plans: Sequence[Plan], now: dt.datetime) -> list[BlockedRequest]:
    """The ranges of missed slots, one request for each."""
    return [
        _missed_request(plan.schedule, plan.decision.missed, now)
        for plan in plans
        if plan.decision.missed
    ]


def _missed_request(schedule: BackupSchedule, missed: Missed, now: dt.datetime) -> BlockedRequest:
    first, last = format_slot(missed.first), format_slot(missed.last)
    summary = {"slots": missed.slots, "or_more": missed.is_capped, "first": first, "last": last}
    if missed.slots == 1:
        slots = f"The slot {last} was"
    else:
        count = f"{missed.slots} or more" if missed.is_capped else f"{missed.slots}"
        slots = f"{count} slots from {first} to {last} were"
    until = format_slot(now.replace(second=0, microsecond=0))
    error = SafeError("missed", slots=slots, now=until)
    return scheduled_request(schedule, missed.last, missed=summary), error


def _overlapping_requests(
    requests: Sequence[RunRequest], results: Sequence[DispatchResult]
) -> list[BlockedRequest]:
    """The slots that did not start because another run of their schedule was active."""
    overlapping = []
    for request, result in zip(requests, results, strict=True):
        active = result.run
        slot = request.context["scheduled_for"]
        is_same_slot = active.type == request.type and active.context.get("scheduled_for") == slot
        if not result.created and not is_same_slot:
            context = {**request.context, "previous_run_id": active.pk}
            blocked = dataclasses.replace(request, context=context)
            overlapping.append((blocked, SafeError("previous_run_active", run=active.pk)))
    return overlapping


_WRITE_NEXT_SLOTS = """
UPDATE backup_schedules SET next_run_at = moved.next_run_at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS moved(id, next_run_at)
WHERE backup_schedules.id = moved.id
"""


def _write_next_slots(plans: Sequence[Plan]) -> None:
    ids = [plan.schedule.pk for plan in plans]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_NEXT_SLOTS, [ids, [plan.decision.next_slot for plan in plans]])
