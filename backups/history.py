"""The latest slots and runs of schedules, in one query for a page of schedules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import connection

from backups.models import BackupSchedule
from operations.models import OperationRun
from operations.types import OperationRunType

TYPES = [
    OperationRunType.BACKUP_SCHEDULE_SCHEDULED.value,
    OperationRunType.BACKUP_SCHEDULE_RUN_NOW.value,
    OperationRunType.BACKUP_SCHEDULE_RETRY.value,
]

_LAST_SLOTS = """
SELECT schedule.id, slot.run_id FROM unnest(%s::bigint[]) AS schedule(id)
CROSS JOIN LATERAL (
    SELECT run.id AS run_id, run.context->>'scheduled_for' AS slot FROM operation_runs run
    WHERE run.type = 'backup_schedule.scheduled'
      AND run.context->>'backup_schedule_id' = schedule.id::text
    ORDER BY run.context->>'scheduled_for' DESC LIMIT %s
) AS slot ORDER BY schedule.id, slot.slot
"""


def last_slots(schedules: Sequence[BackupSchedule], count: int) -> dict[int, list[OperationRun]]:
    """Return the runs of the last slots by schedule id, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_SLOTS, [[schedule.pk for schedule in schedules], count])
        pairs = cursor.fetchall()
    runs = OperationRun.objects.defer("summary_counts").in_bulk([run_id for _, run_id in pairs])
    by_schedule: dict[int, list[OperationRun]] = defaultdict(list)
    for schedule_id, run_id in pairs:
        by_schedule[schedule_id].append(runs[run_id])
    return by_schedule


_LAST_RUNS = """
SELECT schedule.id, run.id FROM unnest(%s::bigint[], %s::bigint[]) AS schedule(id, tenant_id)
CROSS JOIN LATERAL (
    SELECT run.id FROM operation_runs run
    WHERE run.tenant_id = schedule.tenant_id AND run.type = ANY(%s)
      AND run.context->>'backup_schedule_id' = schedule.id::text
    ORDER BY run.created_at DESC, run.id DESC LIMIT 1
) AS run
"""


def last_runs(schedules: Sequence[BackupSchedule]) -> dict[int, OperationRun]:
    """Return the newest run of any type by schedule id."""
    ids = [schedule.pk for schedule in schedules]
    tenants = [schedule.tenant_id for schedule in schedules]
    with connection.cursor() as cursor:
        cursor.execute(_LAST_RUNS, [ids, tenants, TYPES])
        pairs = cursor.fetchall()
    runs = OperationRun.objects.in_bulk([run_id for _, run_id in pairs])
    return {schedule_id: runs[run_id] for schedule_id, run_id in pairs}


def runs_of(schedule: BackupSchedule, count: int) -> list[OperationRun]:
    """Return the newest runs of one schedule."""
    runs = OperationRun.objects.filter(tenant=schedule.tenant_id, type__in=TYPES)
    return list(runs.filter(context__backup_schedule_id=schedule.pk).newest_first()[:count])
