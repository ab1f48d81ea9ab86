"""Settle the slots of schedules: each one starts a run, or has a run that says why it did not.

A schedule whose slots cannot be settled does not prevent the runs of the others: then each schedule
is settled in a savepoint, and the run of the bad one says what happened.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import InterfaceError, OperationalError, connection, transaction

from backups.misfire import Decision, Missed, decide
from backups.models import MAX_CLOCK_ERROR, BackupSchedule, MisfirePolicy, RevisionReason
from backups.requests import scheduled_request, unbuilt_request
from backups.revisions import record_revisions
from backups.slots import minute_of, next_slot, rules_version, shift_of_rules
from operations.context import format_slot
from operations.dispatch import RunRequest
from operations.failpoints import failpoint
from operations.reasons import SafeError
from operations.services import DispatchResult, OperationRunService
from tenancy.times import display_zone, exact_text

log = logging.getLogger(__name__)

UNREADABLE = "Its times could not be computed: check the cron expression and the time zone."
#: A run that is not to start, and the reason.
BlockedRequest = tuple[RunRequest, SafeError]


@dataclass(frozen=True)
class SlotRuns:
    """The number of runs that were started and blocked."""

    started: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class Plan:
    """What happens with the due slots of one schedule."""

    schedule: BackupSchedule
    decision: Decision


def settle(
    schedules: Sequence[BackupSchedule], now: dt.datetime, *, at_once: bool = False
) -> SlotRuns:
    """Settle the slots of unpaused schedules up to `now`, less their spread.

    The caller has locked the schedules. `at_once` does not wait for the spread: a slot whose minute
    has come runs by the times of that minute, also if they are about to change.
    """
    try:
        with transaction.atomic():
            return _settle_all(schedules, now, at_once=at_once)
    except (OperationalError, InterfaceError):
        # The database is not available, or two transactions conflict; no row is the cause.
        raise
    except Exception:
        log.warning(
            "slots cannot be settled together; each schedule is settled alone", exc_info=True
        )
    runs = [_settle_alone(schedule, now, at_once=at_once) for schedule in schedules]
    return SlotRuns(sum(run.started for run in runs), sum(run.blocked for run in runs))


def _settle_all(
    schedules: Sequence[BackupSchedule], now: dt.datetime, *, at_once: bool
) -> SlotRuns:
    plans = [_plan(schedule, now, at_once=at_once) for schedule in schedules]
    service = OperationRunService()
    blocked = len(service.block_many(_missed_requests(plans, now)))
    blocked += service.block_slots(_suspended_requests(plans))
    requests = [
        scheduled_request(plan.schedule, plan.decision.run_slot)
        for plan in plans
        if plan.decision.run_slot and plan.schedule.tenant.is_active
    ]
    results = service.dispatch_many(requests, record_deduplicated=False)
    blocked += service.block_slots(_overlapping_requests(requests, results))
    failpoint("tick.before_next_slots")
    _write_settled(plans)
    return SlotRuns(sum(result.created for result in results), blocked)


def _plan(schedule: BackupSchedule, now: dt.datetime, *, at_once: bool) -> Plan:
    decision = decide(
        cron=schedule.cron,
        timezone=schedule.timezone,
        settled_until=schedule.settled_until,
        until=now if at_once else now - schedule.spread,
        catch_up=schedule.misfire_policy == MisfirePolicy.FIRE_LATEST,
        grace=schedule.misfire_grace,
    )
    return Plan(schedule, decision)


def _suspended_requests(plans: Sequence[Plan]) -> list[BlockedRequest]:
    """The slots that cannot start because their tenant is not active."""
    return [
        (
            scheduled_request(plan.schedule, plan.decision.run_slot),
            SafeError(plan.schedule.tenant.inactive_reason, tenant=plan.schedule.tenant.name),
        )
        for plan in plans
        if plan.decision.run_slot and not plan.schedule.tenant.is_active
    ]


def _missed_requests(plans: Sequence[Plan], now: dt.datetime) -> list[BlockedRequest]:
    """The ranges of missed slots, one request for each."""
    return [
        (
            scheduled_request(
                plan.schedule, plan.decision.missed.last, missed=_summary(plan.decision.missed)
            ),
            _missed_error(plan, plan.decision.missed, now),
        )
        for plan in plans
        if plan.decision.missed
    ]


def _summary(missed: Missed) -> dict[str, int | bool | str]:
    first, last = format_slot(missed.first), format_slot(missed.last)
    return {"slots": missed.slots, "or_more": missed.is_capped, "first": first, "last": last}


def _missed_error(plan: Plan, missed: Missed, now: dt.datetime) -> SafeError:
    zone = display_zone(None, plan.schedule.workspace)
    first, last = exact_text(missed.first, zone), exact_text(missed.last, zone)
    if missed.slots == 1:
        slots = f"The slot {last} was"
    else:
        count = f"{missed.slots} or more" if missed.is_capped else f"{missed.slots}"
        slots = f"{count} slots from {first} to {last} were"
    return SafeError("missed", slots=slots, now=exact_text(minute_of(now), zone))


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


_WRITE_SETTLED = """
UPDATE backup_schedules SET settled_until = settled.until, next_run_at = settled.next_slot,
       rules_version = %s
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS settled(id, until, next_slot)
WHERE backup_schedules.id = settled.id
"""


def _write_settled(plans: Sequence[Plan]) -> None:
    ids = [plan.schedule.pk for plan in plans]
    settled = [plan.decision.settled_until for plan in plans]
    next_slots = [plan.decision.next_slot for plan in plans]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_SETTLED, [rules_version(), ids, settled, next_slots])


def correct_next_slot(schedule: BackupSchedule, now: dt.datetime) -> None:
    """Compute the next slot again, by the rules of time zones and the clock of today.

    The caller has locked the schedule. A change is recorded as a revision. A schedule whose times
    cannot be computed is paused.
    """
    try:
        with transaction.atomic():
            _correct_next_slot(schedule, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("the times of schedule %s cannot be computed; it is paused", schedule.pk)
        pause_unreadable(schedule, now)


def _correct_next_slot(schedule: BackupSchedule, now: dt.datetime) -> None:
    reason, old_next_slot = RevisionReason.RULES_UPDATED, schedule.next_run_at
    if schedule.settled_until > now + MAX_CLOCK_ERROR:
        reason = RevisionReason.CLOCK_SET_BACK
        schedule.settle_until(now)
    elif old_next_slot:
        # A time of day that ran by the earlier rules does not run again at its later instant.
        shift = shift_of_rules(schedule.cron, schedule.timezone, old_next_slot)
        moved = min(schedule.settled_until + shift, now)
        schedule.settled_until = max(schedule.settled_until, moved)
    schedule.next_run_at = next_slot(schedule.cron, schedule.timezone, schedule.settled_until)
    schedule.rules_version = rules_version()
    schedule.save(update_fields=["settled_until", "next_run_at", "rules_version"])
    if schedule.next_run_at != old_next_slot or reason is RevisionReason.CLOCK_SET_BACK:
        old_next_slots = {schedule.pk: old_next_slot}
        record_revisions([schedule], reason, old_next_slots=old_next_slots)
        log.warning(
            "schedule %s: %s; the next slot was %s and is %s now",
            schedule.pk,
            reason.label,
            old_next_slot,
            schedule.next_run_at,
        )


# --- a schedule whose slots cannot be settled -----------------------------------------------------


def _settle_alone(schedule: BackupSchedule, now: dt.datetime, *, at_once: bool) -> SlotRuns:
    try:
        with transaction.atomic():
            return _settle_all([schedule], now, at_once=at_once)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        reference = uuid.uuid4().hex[:12]
        log.exception(
            "the slots of schedule %s cannot be settled, reference %s", schedule.pk, reference
        )
    try:
        plan = _plan(schedule, now, at_once=at_once)
    except Exception:
        log.exception("the times of schedule %s cannot be computed; it is paused", schedule.pk)
        return pause_unreadable(schedule, now)
    return _block_unbuilt(plan, now, reference)


def pause_unreadable(schedule: BackupSchedule, now: dt.datetime) -> SlotRuns:
    """Pause a schedule whose times cannot be computed, with a blocked run that says so."""
    slot = format_slot(minute_of(schedule.next_run_at or now))
    error = SafeError("schedule_unreadable", cron=schedule.cron, timezone=schedule.timezone)
    blocked = OperationRunService().block_slots([(unbuilt_request(schedule, slot), error)])
    settled_until = max(schedule.settled_until, now)
    BackupSchedule.objects.filter(pk=schedule.pk).update(
        paused_at=now, pause_reason=UNREADABLE, next_run_at=None, settled_until=settled_until
    )
    record_revisions([schedule], RevisionReason.PAUSED)
    return SlotRuns(blocked=blocked)


def _block_unbuilt(plan: Plan, now: dt.datetime, reference: str) -> SlotRuns:
    """Record the slots of a schedule whose requests cannot be built, and settle them."""
    service, blocked = OperationRunService(), 0
    if missed := plan.decision.missed:
        request = unbuilt_request(plan.schedule, format_slot(missed.last), missed=_summary(missed))
        blocked += len(service.block_many([(request, _missed_error(plan, missed, now))]))
    if plan.decision.run_slot:
        request = unbuilt_request(plan.schedule, format_slot(plan.decision.run_slot))
        blocked += service.block_slots([(request, SafeError("slot_failed", reference=reference))])
    _write_settled([plan])
    return SlotRuns(blocked=blocked)
