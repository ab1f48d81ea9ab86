"""Delete the backup sets that a schedule's retention no longer keeps.

The newest complete sets and all recent sets are kept, and always a tenant's last complete set and
a schedule's last incomplete one, because some tenants never have a complete backup. Recorded
changes are kept longer than the sets.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import connection

from backups.models import BackupSchedule, BackupSet
from operations.worker.active_run import ActiveRun
from tenancy.db import call_function, database_now

BATCH = 100
MAX_CHANGES = 1000


def apply(schedule: BackupSchedule, run: ActiveRun) -> None:
    """Delete the expired sets of a schedule and note each on the run's timeline."""
    expired = expired_sets(schedule)
    for backup_set in expired:
        run.checkpoint()
        if delete_set(backup_set):
            run.add_note(
                f"Deleted backup set {backup_set.pk} of {backup_set.started_at:%Y-%m-%d %H:%M} UTC "
                f"({backup_set.item_count} items) because of the schedule's retention."
            )
    delete_unreferenced_versions(schedule.workspace_id)
    remove_old_changes(schedule.tenant_id)


def expired_sets(schedule: BackupSchedule) -> list[BackupSet]:
    """Return up to `BATCH` sets that the schedule no longer keeps, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT backup_sets_expired(%s) LIMIT %s", [schedule.pk, BATCH])
        ids = [set_id for (set_id,) in cursor.fetchall()]
    return list(BackupSet.objects.filter(pk__in=ids).order_by("ended_at", "id"))


def delete_set(backup_set: BackupSet) -> bool:
    """Delete a set with its items; return False if the database keeps it.

    It keeps a tenant's last complete set, one that its schedule keeps or that an active run uses,
    and one that is being built, unless it is empty.
    """
    return call_function("backup_sets_delete", backup_set.pk) is True


def delete_unreferenced_versions(workspace_id: int) -> int:
    """Delete contents that no set refers to; return their number.

    It checks only new contents and those that lost their last reference, some thousands at a time.
    """
    return int(call_function("policy_versions_delete_unreferenced", workspace_id))


def delete_unneeded_secrets() -> int:
    """Delete encrypted values that no content refers to any more; return their number.

    It checks each value once a day, up to a thousand at a time, and none that was read recently.
    """
    return int(call_function("configuration_secrets_delete_unneeded"))


def remove_old_changes(tenant_id: int) -> None:
    """Remove up to `MAX_CHANGES` changes of a tenant that are older than `CHANGE_KEEP_DAYS`."""
    before = database_now() - dt.timedelta(days=settings.CHANGE_KEEP_DAYS)
    call_function("policy_changes_remove", tenant_id, before, MAX_CHANGES)
