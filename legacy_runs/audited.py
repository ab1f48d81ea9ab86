"""Legacy runs are read-only, so the audit log leaves them out."""

from audit.registry import exclude

for _table in ("inventory_sync_runs", "entra_group_sync_runs", "backup_schedule_runs"):
    exclude(_table, "Only the import adds rows.")
