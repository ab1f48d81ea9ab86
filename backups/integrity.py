"""The invariants of schedules for the check of the ledger."""

from __future__ import annotations

import datetime as dt

from cronsim import CronSimError
from django.urls import reverse

from backups.models import BackupSchedule
from backups.slots import slots_between
from operations.context import format_slot
from operations.maintenance.integrity import Invariant, register_invariant
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.db import database_now

#: The period that is checked, and the number of slots of each schedule.
WINDOW = dt.timedelta(days=2)
MAX_SLOTS = 500
#: A tick that is later than this after a slot and its spread is an error.
LATE_AFTER = dt.timedelta(minutes=10)

Ranges = list[tuple[str, str]]


def unexplained_schedules() -> list[int]:
    """Return the ids of schedules with a due slot that no run started or recorded as missed.

    Only slots since the last change of a schedule count, because it may have had other times before.
    """
    now = database_now()
    schedules = BackupSchedule.objects.filter(paused_at__isnull=True).order_by("pk")
    recorded = _recorded_slots(now)
    unexplained = []
    for schedule in schedules:
        try:
            explained = is_explained(schedule, recorded.get(str(schedule.pk), []), now)
        except (ValueError, CronSimError):
            explained = False  # An invalid expression, such as one of another version.
        if not explained:
            unexplained.append(schedule.pk)
    return unexplained


def is_explained(schedule: BackupSchedule, recorded: Ranges, now: dt.datetime) -> bool:
    """Whether every slot of a schedule up to its next one is in one of the recorded ranges."""
    next_run_at = schedule.next_run_at
    if next_run_at is None:
        return True
    if next_run_at + schedule.spread < now - LATE_AFTER:
        return False
    start = max(schedule.updated_at, now - WINDOW)
    end = next_run_at - dt.timedelta(minutes=1)
    expected = slots_between(schedule.cron, schedule.timezone, start, end, MAX_SLOTS)
    # UTC minutes sort as text in the same order as in time.
    slots = [format_slot(slot) for slot in expected]
    return all(any(first <= slot <= last for first, last in recorded) for slot in slots)


def _recorded_slots(now: dt.datetime) -> dict[str, Ranges]:
    """The ranges of slots that runs record, by schedule id; most contain one slot."""
    by_schedule: dict[str, Ranges] = {}
    runs = OperationRun.objects.filter(
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED, created_at__gt=now - 2 * WINDOW
    )
    facts = ("backup_schedule_id", "scheduled_for", "missed__first")
    for pk, slot, first in runs.values_list(*(f"context__{fact}" for fact in facts)):
        by_schedule.setdefault(str(pk), []).append((first or slot, slot))
    return by_schedule


register_invariant(
    Invariant(
        "slot_fired_once",
        "A slot of a schedule has at most one run.",
        "SELECT unnest(array_agg(id)) AS id FROM operation_runs"
        " WHERE type = 'backup_schedule.scheduled' AND created_at > now() - %(recent)s"
        " GROUP BY context->>'backup_schedule_id', context->>'scheduled_for' HAVING count(*) > 1",
    )
)
register_invariant(
    Invariant(
        "every_slot_is_explained",
        "Every slot of a schedule has a run that started or records why it did not.",
        unexplained_schedules,
        noun="Schedule",
        address=lambda pk: reverse("admin:backups_backupschedule_change", args=[pk]),
    )
)
