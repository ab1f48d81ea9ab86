"""Letting go of old sets: never the newest N complete, never the young, never the last of a kind.

The last of a kind are a tenant's last complete set and a schedule's last incomplete one: where
nothing is ever complete, that is all there is.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection, transaction

from backups.models import BackupSchedule, BackupSet, SetStatus
from operations.worker.active_run import ActiveRun
from tenancy.db import database_now

BATCH = 100


def apply(schedule: BackupSchedule, run: ActiveRun) -> None:
    """Delete what the schedule no longer keeps and note each set on the run's timeline."""
    expired = expired_sets(schedule, database_now())
    for backup_set in expired:
        run.checkpoint()
        if delete_set(backup_set):
            run.add_note(
                f"Deleted backup set {backup_set.pk} of {backup_set.started_at:%Y-%m-%d %H:%M} UTC "
                f"({backup_set.item_count} items) as the schedule's retention says."
            )
    if expired:
        delete_unreferenced_versions(schedule.workspace_id)


def expired_sets(schedule: BackupSchedule, now: dt.datetime) -> list[BackupSet]:
    """The sets that the schedule no longer keeps, oldest first, at most a batch of them."""
    own = BackupSet.objects.filter(schedule=schedule)
    newest = own.complete().order_by("-finished_at", "-id")[: schedule.retention_keep_sets]
    partial = own.filter(status=SetStatus.INCOMPLETE).order_by("-finished_at", "-id")[:1]
    last = _last_complete_of(schedule.tenant_id)
    kept = {*newest.values_list("pk", flat=True), *partial.values_list("pk", flat=True)}
    kept |= {last} if last else set()
    old = own.filter(finished_at__lt=now - dt.timedelta(days=schedule.retention_keep_days))
    old = old.exclude(status=SetStatus.BUILDING).exclude(pk__in=kept)
    return list(old.order_by("finished_at", "id")[:BATCH])


def _last_complete_of(tenant_id: int) -> int | None:
    complete = BackupSet.objects.filter(tenant_id=tenant_id).complete()
    return complete.order_by("-finished_at", "-id").values_list("pk", flat=True).first()


@transaction.atomic
def delete_set(backup_set: BackupSet) -> bool:
    """Delete a set with its items; False if it became the tenant's last complete one meanwhile."""
    locked = BackupSet.objects.select_for_update().filter(pk=backup_set.pk).first()
    if locked is None or locked.pk == _last_complete_of(locked.tenant_id):
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
# A second look under the lock: a backup may have referred to one after the first was taken.
_DELETE_UNREFERENCED = """
DELETE FROM policy_versions version WHERE id = ANY(%s)
AND NOT EXISTS (SELECT FROM backup_items WHERE version_id = version.id)
"""


@transaction.atomic
def delete_unreferenced_versions(workspace_id: int) -> int:
    """Delete contents that no set refers to any more; how many."""
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_UNREFERENCED, [workspace_id])
        cursor.execute(_DELETE_UNREFERENCED, [[found for (found,) in cursor.fetchall()]])
        return int(cursor.rowcount)
