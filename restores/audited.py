"""What the audit log records of restores: their stages, approvals and decisions, not their results."""

from audit.registry import audit_table, through
from backups.kinds import label_of

audit_table(
    "restore_runs",
    label="Restore",
    workspace="workspace_id",
    tenant="tenant_id",
    ignored=["preview_run_id", "execute_run_id", "before_set_id"],
)
audit_table(
    "restore_items",
    workspace=through("restore_id", "restore_runs", "workspace_id"),
    tenant=through("restore_id", "restore_runs", "tenant_id"),
    part="name",
    part_of=("restore_runs", "restore_id"),
    only=["decision"],
)
audit_table(
    "restore_replacements",
    label="Replacement",
    name="name",
    workspace="workspace_id",
    tenant="tenant_id",
    texts={"kind": label_of},
)
