"""The addresses that older installations had for these rows; one line each.

A moved installation keeps its bookmarks: each leads where the row's own address leads.
"""

from __future__ import annotations

from legacy_runs.models import BackupScheduleRun, EntraGroupSyncRun, InventorySyncRun

#: The route's name, its path with the row's id as `legacy_id`, and the kind of the row.
OLDER = (
    ("older_inventory_run", "inventory/runs/<int:legacy_id>/", InventorySyncRun.KIND),
    ("older_inventory_sync", "inventory-sync-runs/<int:legacy_id>/", InventorySyncRun.KIND),
    ("older_group_run", "entra-groups/runs/<int:legacy_id>/", EntraGroupSyncRun.KIND),
    ("older_group_sync", "entra-group-sync-runs/<int:legacy_id>/", EntraGroupSyncRun.KIND),
    ("older_schedule_run", "backup-schedules/runs/<int:legacy_id>/", BackupScheduleRun.KIND),
    ("older_schedule_sync", "backup-schedule-runs/<int:legacy_id>/", BackupScheduleRun.KIND),
)
