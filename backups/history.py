"""The latest slots, runs and sets of schedules and tenants, in one query for a page of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from backups.models import BackupSchedule, BackupSet
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


_LAST_SETS = """
SELECT last.* FROM unnest(%s::bigint[]) AS schedule(id)
CROSS JOIN LATERAL (
    SELECT * FROM backup_sets WHERE schedule_id = schedule.id AND status <> 'building'
    ORDER BY started_at DESC, id DESC LIMIT 1
) AS last
"""


def last_sets(schedules: Sequence[BackupSchedule]) -> dict[int | None, BackupSet]:
    """Return the newest finished set by schedule id."""
    ids = [schedule.pk for schedule in schedules]
    return {last.schedule_id: last for last in BackupSet.objects.raw(_LAST_SETS, [ids])}


# The index of slots has the runs of the slots, and `runs_of_schedule` the others.
_RUNS = """
SELECT run.*, schedule.id AS of_schedule FROM unnest(%(schedules)s::bigint[]) AS schedule(id)
CROSS JOIN LATERAL (
    (SELECT * FROM operation_runs of_slot
     WHERE type = 'backup_schedule.scheduled'
       AND context->>'backup_schedule_id' = schedule.id::text
     ORDER BY context->>'scheduled_for' DESC LIMIT %(count)s)
    UNION ALL
    (SELECT * FROM operation_runs other
     WHERE type IN ('backup_schedule.run_now', 'backup_schedule.retry')
       AND context->>'backup_schedule_id' = schedule.id::text
     ORDER BY created_at DESC, id DESC LIMIT %(count)s)
) AS run ORDER BY schedule.id, run.created_at, run.id
"""


def last_runs(schedules: Sequence[BackupSchedule]) -> dict[int, OperationRun]:
    """Return the newest run of any type by schedule id."""
    return {run.of_schedule: run for run in _newest_runs([each.pk for each in schedules], 1)}


def runs_of(schedule: BackupSchedule, count: int) -> list[OperationRun]:
    """Return the newest runs of one schedule, newest first."""
    ids = [run.pk for run in _newest_runs([schedule.pk], count)]
    return list(OperationRun.objects.with_scope().filter(pk__in=ids).newest_first()[:count])


def _newest_runs(schedule_ids: list[int], count: int) -> list[Any]:
    """Return the newest runs of slots and the newest others of each schedule, oldest first."""
    values = {"schedules": schedule_ids, "count": count}
    return list(OperationRun.objects.raw(_RUNS, values))


# --- of tenants -------------------------------------------------------------------------------

# One index lookup for each tenant and type.
_LAST_ATTEMPTS = """
SELECT tenant.id, run.id FROM unnest(%s::bigint[]) AS tenant(id)
CROSS JOIN LATERAL (
    SELECT newest.id FROM unnest(%s::text[]) AS backup(type)
    CROSS JOIN LATERAL (
        SELECT run.id, run.created_at FROM operation_runs run
        WHERE run.tenant_id = tenant.id AND run.type = backup.type
        ORDER BY run.created_at DESC, run.id DESC LIMIT 1) newest
    ORDER BY newest.created_at DESC, newest.id DESC LIMIT 1
) AS run
"""


def last_attempts(tenant_ids: Sequence[int]) -> dict[int, OperationRun]:
    """Return the newest backup by tenant id, whatever started it and however it ended."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ATTEMPTS, [list(tenant_ids), TYPES])
        run_ids = dict(cursor.fetchall())
    runs = OperationRun.objects.defer("context", "summary_counts").in_bulk(run_ids.values())
    return {tenant_id: runs[run_id] for tenant_id, run_id in run_ids.items()}


@dataclass(frozen=True)
class PastSlot:
    """A slot in UTC as text, and the outcome of its run: `pending` while the run is active."""

    slot: str
    outcome: str


_PAST_SLOTS = """
SELECT tenant.id, run.slot, run.outcome, run.repeated
FROM unnest(%s::bigint[]) AS tenant(id)
CROSS JOIN LATERAL (
    SELECT run.context->>'scheduled_for' AS slot, run.outcome,
           COALESCE((run.context #>> '{repeated,slots}')::int, 1) AS repeated,
           run.created_at, run.id
    FROM operation_runs run
    WHERE run.tenant_id = tenant.id AND run.type = 'backup_schedule.scheduled'
    ORDER BY run.created_at DESC, run.id DESC LIMIT %s
) AS run ORDER BY tenant.id, run.created_at DESC, run.id DESC
"""


def past_slots(tenant_ids: Sequence[int], count: int) -> dict[int, list[PastSlot]]:
    """Return the last slots of all schedules by tenant id, oldest first.

    A blocked run that stands for several slots counts as many times.
    """
    with connection.cursor() as cursor:
        cursor.execute(_PAST_SLOTS, [list(tenant_ids), count])
        rows = cursor.fetchall()
    newest_first: dict[int, list[PastSlot]] = defaultdict(list)
    for tenant_id, slot, outcome, repeated in rows:
        missing = count - len(newest_first[tenant_id])
        newest_first[tenant_id] += [PastSlot(slot, outcome)] * min(repeated, missing)
    return {tenant_id: slots[::-1] for tenant_id, slots in newest_first.items()}
