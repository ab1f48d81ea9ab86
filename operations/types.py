"""The vocabulary of operations. Values are stored in rows: they are never renamed or reused."""

from enum import StrEnum


class OperationRunType(StrEnum):
    """What a run does. Each one has a catalog entry and a handler, or the checks fail."""

    PROVIDER_CONNECTION_CHECK = "provider_connection.check"
    INVENTORY_SYNC = "inventory.sync"
    DIRECTORY_GROUPS_SYNC = "directory_groups.sync"
    DIRECTORY_ROLE_DEFINITIONS_SYNC = "directory_role_definitions.sync"
    WORKSPACE_INVENTORY_SYNC = "workspace.inventory_sync"
    BACKUP_SCHEDULE_SCHEDULED = "backup_schedule.scheduled"
    BACKUP_SCHEDULE_RUN_NOW = "backup_schedule.run_now"
    BACKUP_SCHEDULE_RETRY = "backup_schedule.retry"
    BACKUP_SET_ADD_POLICIES = "backup_set.add_policies"
    POLICY_EXPORT = "policy.export"
    RESTORE_PREVIEW = "restore.preview"
    RESTORE_EXECUTE = "restore.execute"
    OPERATIONS_PRUNE = "operations.prune"
