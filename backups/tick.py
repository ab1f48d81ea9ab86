"""The tick of schedules: create exactly one run for every due slot, however many ticks there are.

Beat only triggers a tick; the rows say what is due. A tick locks due schedules, skips those that
another tick has locked, and settles them in the same transaction.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from backups.models import MAX_CLOCK_ERROR, BackupSchedule
from backups.settling import correct_next_slot, settle
from backups.slots import rules_version
from backups.time_zone_rules import acquire_rules
from operations.failpoints import failpoint
from tenancy.db import database_now

log = logging.getLogger(__name__)

MAX_ROUNDS = 20


@dataclass(frozen=True)
class TickResult:
    """The number of schedules that a tick locked, and of runs that it started or blocked."""

    schedules: int = 0
    started: int = 0
    blocked: int = 0


def tick_all(now: dt.datetime | None = None, limit: int = 500) -> None:
    """Tick until nothing is due; each round is a separate transaction.

    First the next slots are corrected that other rules of time zones or a wrong clock computed.
    """
    if not acquire_rules():
        log.warning("Processes with newer time-zone rules tick; schedules are left to them.")
        return
    now = now or database_now()
    for _ in range(MAX_ROUNDS):
        if correct_next_slots(now, limit) < limit:
            break
    for _ in range(MAX_ROUNDS):
        if tick(now, limit).schedules < limit:
            break


_DUE = """
SELECT id FROM backup_schedules
WHERE paused_at IS NULL AND next_run_at <= %(now)s
  AND next_run_at + make_interval(secs => spread_seconds) <= %(now)s
ORDER BY next_run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


@transaction.atomic
def tick(now: dt.datetime | None = None, limit: int = 500) -> TickResult:
    """Account for the due slots of up to `limit` schedules; `now` is the database's by default.

    A slot starts a run, or it is recorded as blocked: `missed` after an outage (one row for a
    range), `previous_run_active`, `tenant_suspended`.
    """
    now = now or database_now()
    due = _lock_schedules(_DUE, now=now, limit=limit)
    runs = settle(due, now)
    failpoint("tick.before_commit")
    return TickResult(len(due), runs.started, runs.blocked)


_INCORRECT = """
SELECT id FROM backup_schedules
WHERE paused_at IS NULL AND (rules_version <> %(rules)s OR settled_until > %(latest)s)
ORDER BY next_run_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""


@transaction.atomic
def correct_next_slots(now: dt.datetime, limit: int = 500) -> int:
    """Compute the next slots again after an update of time-zone rules or a wrong clock.

    Slots that have come stay settled, and those that are settled in the future become due again,
    unless they have a run. A change is recorded as a revision. Returns the number of schedules.
    """
    latest, rules = now + MAX_CLOCK_ERROR, rules_version()
    schedules = _lock_schedules(_INCORRECT, latest=latest, rules=rules, limit=limit)
    for schedule in schedules:
        correct_next_slot(schedule, now)
    return len(schedules)


def _lock_schedules(sql: str, **values: Any) -> list[BackupSchedule]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        ids = [schedule_id for (schedule_id,) in cursor.fetchall()]
    return list(BackupSchedule.objects.with_scope().filter(pk__in=ids).order_by("next_run_at"))
