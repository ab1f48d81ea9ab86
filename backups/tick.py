"""The tick: every slot that has come gets its run, exactly one, however many ticks there are.

Beat only wakes this up. What is due stands in the rows: a tick locks due schedules, skips those
that another tick has locked, and in the same transaction writes their runs and their next slot.
"""

from __future__ import annotations

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
Blocked = tuple[RunRequest, SafeError]


@dataclass(frozen=True)
class Ticked:
    """What one tick did."""

    schedules: int = 0
    fired: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class Plan:
    """What is to become of one schedule's slots."""

    schedule: BackupSchedule
    decision: Decision


def tick_all(limit: int = 500) -> None:
    """Tick until nothing is due; each round is a transaction of its own."""
    for _ in range(MAX_ROUNDS):
        if tick(limit=limit).schedules < limit:
            return


@transaction.atomic
def tick(now: dt.datetime | None = None, limit: int = 500) -> Ticked:
    """Account for the due slots of up to `limit` schedules; `now` is the database's by default.

    A slot fires, or it is recorded as blocked: `missed` after an outage (one row for a range),
    `previous_run_active`, `tenant_suspended`.
    """
    now = now or database_now()
    return account_for(_lock_due(now, limit), now)


def account_for(due: Sequence[BackupSchedule], now: dt.datetime) -> Ticked:
    """Give every slot of these schedules up to `now` its run; the caller holds their locks."""
    plans = [plan for schedule in due if (plan := _plan(schedule, now))]
    service = OperationRunService()
    blocked = service.block_many([*_missed(plans, now), *_suspended(plans)])
    wanted = [_request(plan) for plan in _able(plans)]
    results = service.dispatch_many(wanted, record_deduplicated=False)
    blocked += service.block_many(_overlapping(wanted, results))
    failpoint("tick.before_next_slots")
    _advance(plans)
    failpoint("tick.before_commit")
    fired = sum(result.created for result in results)
    return Ticked(schedules=len(due), fired=fired, blocked=len(blocked))


_LOCK_DUE = """
SELECT id FROM backup_schedules
WHERE paused_at IS NULL AND next_run_at <= %(now)s
  AND next_run_at + make_interval(secs => spread_seconds) <= %(now)s
ORDER BY next_run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


def _lock_due(now: dt.datetime, limit: int) -> list[BackupSchedule]:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_DUE, {"now": now, "limit": limit})
        ids = [schedule_id for (schedule_id,) in cursor.fetchall()]
    return list(BackupSchedule.objects.with_scope().filter(pk__in=ids).order_by("next_run_at"))


def _plan(schedule: BackupSchedule, now: dt.datetime) -> Plan | None:
    """The plan; None for a schedule that cannot be read any more, which is paused.

    One such schedule must not keep the others from firing.
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
        log.exception("schedule %s cannot be read; it is paused", schedule.pk)
        reason = "Its times could not be computed: check the cron expression and the time zone."
        unreadable = BackupSchedule.objects.filter(pk=schedule.pk)
        unreadable.update(paused_at=now, pause_reason=reason, next_run_at=None)
        return None
    return Plan(schedule, decision)


def _request(plan: Plan) -> RunRequest:
    if plan.decision.fire is None:
        raise ValueError("nothing fires")
    return scheduled_request(plan.schedule, plan.decision.fire)


def _firing(plans: Sequence[Plan]) -> list[Plan]:
    return [plan for plan in plans if plan.decision.fire]


def _able(plans: Sequence[Plan]) -> list[Plan]:
    return [plan for plan in _firing(plans) if plan.schedule.tenant.is_active]


def _suspended(plans: Sequence[Plan]) -> list[Blocked]:
    return [
        (_request(plan), SafeError("tenant_suspended", tenant=plan.schedule.tenant.name))
        for plan in _firing(plans)
        if not plan.schedule.tenant.is_active
    ]


def _missed(plans: Sequence[Plan], now: dt.datetime) -> list[Blocked]:
    return [
        _missed_row(plan.schedule, plan.decision.missed, now)
        for plan in plans
        if plan.decision.missed
    ]


def _missed_row(schedule: BackupSchedule, missed: Missed, now: dt.datetime) -> Blocked:
    first, last = format_slot(missed.first), format_slot(missed.last)
    facts = {"slots": missed.slots, "or_more": missed.is_more, "first": first, "last": last}
    until = format_slot(now.replace(second=0, microsecond=0))
    error = SafeError("missed", slots=_in_words(missed, first, last), now=until)
    return scheduled_request(schedule, missed.last, missed=facts), error


def _in_words(missed: Missed, first: str, last: str) -> str:
    if missed.slots == 1:
        return f"The slot {last}"
    return f"{missed.slots}{' or more' if missed.is_more else ''} slots from {first} to {last}"


def _overlapping(wanted: Sequence[RunRequest], results: Sequence[DispatchResult]) -> list[Blocked]:
    """Blocked rows for the slots that met an active run of their schedule."""
    return [
        (_with_holder(request, result), SafeError("previous_run_active", run=result.run.pk))
        for request, result in zip(wanted, results, strict=True)
        if not result.created and not _is_its_own(request, result)
    ]


def _is_its_own(request: RunRequest, result: DispatchResult) -> bool:
    """Whether the run that was met is the one that this very slot has already."""
    same_type = result.run.type == request.type
    slot = result.run.context.get("scheduled_for")
    return same_type and slot == request.context["scheduled_for"]


def _with_holder(request: RunRequest, result: DispatchResult) -> RunRequest:
    context = {**request.context, "previous_run_id": result.run.pk}
    return RunRequest(**{**vars(request), "context": context})


_ADVANCE = """
UPDATE backup_schedules SET next_run_at = moved.next_run_at
FROM unnest(%s::bigint[], %s::timestamptz[]) AS moved(id, next_run_at)
WHERE backup_schedules.id = moved.id
"""


def _advance(plans: Sequence[Plan]) -> None:
    ids = [plan.schedule.pk for plan in plans]
    with connection.cursor() as cursor:
        cursor.execute(_ADVANCE, [ids, [plan.decision.next_slot for plan in plans]])
