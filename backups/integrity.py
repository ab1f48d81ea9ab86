"""What schedules promise, for the check of the ledger."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from cronsim import CronSimError
from django.urls import reverse

from backups.models import BackupSchedule
from backups.slots import slots_between
from operations.context import format_slot
from operations.maintenance.integrity import Invariant, register_invariant
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.db import database_now

#: Slots are looked at for so long, and at most so many of each schedule.
WINDOW = dt.timedelta(days=2)
MOST = 500
#: A tick that comes this late after a slot and its spread is no hiccup.
LATE = dt.timedelta(minutes=10)

Ranges = list[tuple[str, str]]


def unexplained() -> list[int]:
    """The schedules with a slot that has come and has no run: none that fired, none that tells why.

    A schedule is looked at since it was last changed, because its earlier slots may have been others.
    """
    now = database_now()
    schedules = BackupSchedule.objects.filter(paused_at__isnull=True).order_by("pk")
    told = _told(now)
    return [
        schedule.pk
        for schedule in schedules.iterator(chunk_size=500)
        if not _is_in_order(schedule, told.get(str(schedule.pk), []), now)
    ]


def _is_in_order(schedule: BackupSchedule, told: Ranges, now: dt.datetime) -> bool:
    """Whether a schedule can be read and is explained; one of another version may not be readable."""
    try:
        return is_explained(schedule, told, now)
    except (ValueError, CronSimError):
        return False


def is_explained(schedule: BackupSchedule, told: Ranges, now: dt.datetime) -> bool:
    """Whether each slot of a schedule up to its next one stands in a range that a run tells of."""
    waits_for = schedule.next_run_at
    if waits_for is None or waits_for + schedule.spread < now - LATE:
        return waits_for is None
    start = max(schedule.updated_at, now - WINDOW)
    before = waits_for - dt.timedelta(minutes=1)
    expected = slots_between(schedule.cron, schedule.timezone, start, before, MOST)
    return all(_within(format_slot(slot), told) for slot in expected)


def _within(slot: str, told: Iterable[tuple[str, str]]) -> bool:
    """UTC minutes as text are in order as the times are."""
    return any(first <= slot <= last for first, last in told)


def _told(now: dt.datetime) -> dict[str, Ranges]:
    """By schedule, the ranges of slots that runs tell of; most are one slot long."""
    found: dict[str, Ranges] = {}
    runs = OperationRun.objects.filter(
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED, created_at__gt=now - 2 * WINDOW
    )
    for context in runs.values_list("context", flat=True).iterator(chunk_size=2000):
        slot = context["scheduled_for"]
        missed = context.get("missed") or {}
        spans = found.setdefault(str(context["backup_schedule_id"]), [])
        spans.append((missed.get("first", slot), slot))
    return found


register_invariant(
    Invariant(
        "slot_fired_once",
        "A slot of a schedule has one run.",
        "SELECT unnest(array_agg(id)) AS id FROM operation_runs"
        " WHERE type = 'backup_schedule.scheduled' AND created_at > now() - %(recent)s"
        " GROUP BY context->>'backup_schedule_id', context->>'scheduled_for' HAVING count(*) > 1",
    )
)
register_invariant(
    Invariant(
        "every_slot_is_explained",
        "Every slot of a schedule has a run: it fired, or the run says why not.",
        unexplained,
        noun="Schedule",
        address=lambda pk: reverse("admin:backups_backupschedule_change", args=[pk]),
    )
)
