"""A ledger with a row in every table that says what happened, for attacks on its guards."""

from __future__ import annotations

from typing import Any

from django.db import connection

from operations.metrics.counting import update_metrics
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory
from tests.support.factories.backups import (
    BackupItemFactory,
    BackupScheduleFactory,
    BackupSetFactory,
    PolicyExportFactory,
    finish,
    share_items,
)
from tests.support.factories.legacy_runs import create_legacy_runs_of_every_kind
from tests.support.factories.operations import create_past_run
from tests.support.factories.restores import create_restore

#: The tables whose rows say what happened.
GUARDED = (
    *("operation_runs", "operation_run_events", "operation_run_items"),
    *("operation_run_tombstones", "inventory_sync_runs", "entra_group_sync_runs"),
    *("backup_schedule_runs", "backup_schedule_revisions", "backup_sets", "backup_items"),
    "backup_shared_items",
    *("policy_versions", "policy_exports", "restore_runs", "restore_items"),
    *("operation_metrics", "operation_metric_increments", "operation_run_counts"),
)


def create_ledger(tenant: Tenant) -> None:
    """Create rows of every kind, none of which may be changed or deleted."""
    for days in (900, 800):
        create_past_run(tenant, days)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT operation_runs_mark_details_removed(ids), operation_runs_remove(ids)"
            " FROM (SELECT ARRAY(SELECT id FROM operation_runs)) AS removed (ids)"
        )
    update_metrics()
    create_past_run(tenant, 0, "failed")
    OperationRunFactory(tenant=tenant, running=True)
    create_legacy_runs_of_every_kind(tenant)
    backup_set = BackupSetFactory(schedule=BackupScheduleFactory(tenant=tenant))
    item = BackupItemFactory(backup_set=backup_set)
    finish(backup_set)
    later = BackupSetFactory(schedule=backup_set.schedule)
    share_items(later, item)
    finish(later)
    PolicyExportFactory(tenant=tenant)
    create_restore(tenant, executing=True)


def ledger_content() -> dict[str, Any]:
    """Return the rows of every guarded table."""
    with connection.cursor() as cursor:
        return {
            table: cursor.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in GUARDED
        }
