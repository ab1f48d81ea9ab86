"""The operation types. The values are stored in rows, so they are never renamed or reused."""

from enum import StrEnum


class OperationRunType(StrEnum):
    """The operation that a run executes.

    The system checks fail for a type that has no catalog entry or no handler.
    """

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
