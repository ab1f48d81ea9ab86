"""The vocabulary of operations. Values are stored in rows: they are never renamed or reused."""

from enum import StrEnum


class OperationRunType(StrEnum):
    """What a run does. Each one has a catalogue entry and a handler, or the checks fail."""

    BACKUP_SCHEDULE_SCHEDULED = "backup_schedule.scheduled"
    BACKUP_SCHEDULE_RUN_NOW = "backup_schedule.run_now"
    BACKUP_SCHEDULE_RETRY = "backup_schedule.retry"
    OPERATIONS_PRUNE = "operations.prune"
