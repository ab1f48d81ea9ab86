"""Delete the backup sets that a schedule's retention no longer keeps.

The newest complete sets and all recent sets are kept, and always a tenant's last complete set and
a schedule's last incomplete one, because some tenants never have a complete backup.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction

from backups.models import BackupSchedule, BackupSet, SetStatus
from operations.worker.active_run import ActiveRun
from tenancy.db import database_now

BATCH = 100


def apply(schedule: BackupSchedule, run: ActiveRun) -> None:
    """Delete the expired sets of a schedule and note each on the run's timeline."""
    expired = expired_sets(schedule, database_now())
    for backup_set in expired:
        run.checkpoint()
        if delete_set(backup_set):
            run.add_note(
                f"Deleted backup set {backup_set.pk} of {backup_set.started_at:%Y-%m-%d %H:%M} UTC "
                f"({backup_set.item_count} items) because of the schedule's retention."
            )
    if expired:
        delete_unreferenced_versions(schedule.workspace_id)


def expired_sets(schedule: BackupSchedule, now: dt.datetime) -> list[BackupSet]:
    """Return up to `BATCH` sets that the schedule no longer keeps, oldest first."""
    schedule_sets = BackupSet.objects.filter(schedule=schedule)
    newest = schedule_sets.complete().order_by("-ended_at", "-id")[: schedule.retention_keep_sets]
    incomplete = schedule_sets.filter(status=SetStatus.INCOMPLETE).order_by("-ended_at", "-id")[:1]
    keep = {*newest.values_list("pk", flat=True), *incomplete.values_list("pk", flat=True)}
    if last_id := _last_complete_id(schedule.tenant_id):
        keep.add(last_id)
    old = schedule_sets.filter(ended_at__lt=now - dt.timedelta(days=schedule.retention_keep_days))
    old = old.exclude(status=SetStatus.BUILDING).exclude(pk__in=keep)
    return list(old.order_by("ended_at", "id")[:BATCH])


def _last_complete_id(tenant_id: int) -> int | None:
    complete = BackupSet.objects.filter(tenant_id=tenant_id).complete()
    return complete.order_by("-ended_at", "-id").values_list("pk", flat=True).first()


@transaction.atomic
def delete_set(backup_set: BackupSet) -> bool:
    """Delete a set with its items; return False if it is the tenant's last complete one."""
    locked = BackupSet.objects.select_for_update().filter(pk=backup_set.pk).first()
    if locked is None or locked.pk == _last_complete_id(locked.tenant_id):
        return False
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM backup_items WHERE set_id = %s", [locked.pk])
    locked.delete()
    return True


_LOCK_UNREFERENCED = """
SELECT id FROM policy_versions version
WHERE workspace_id = %s AND NOT EXISTS (SELECT FROM backup_items WHERE version_id = version.id)
FOR UPDATE SKIP LOCKED
"""
# Check again under the lock: a backup can have referred to a version in the meantime.
_DELETE_UNREFERENCED = """
DELETE FROM policy_versions version WHERE id = ANY(%s)
AND NOT EXISTS (SELECT FROM backup_items WHERE version_id = version.id)
"""


@transaction.atomic
def delete_unreferenced_versions(workspace_id: int) -> int:
    """Delete contents that no set refers to; return their number."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNREFERENCED, [workspace_id])
        version_ids = [version_id for (version_id,) in cursor.fetchall()]
        cursor.execute(_DELETE_UNREFERENCED, [version_ids])
        return int(cursor.rowcount)
