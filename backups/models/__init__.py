"""Schedules, the backup sets that their runs capture, and exports of policies."""

from backups.models.exports import PolicyExport
from backups.models.schedules import (
    NAME_TAKEN,
    BackupSchedule,
    BackupScheduleQuerySet,
    MisfirePolicy,
)
from backups.models.sets import (
    BackupItem,
    BackupItemQuerySet,
    BackupSet,
    BackupSetQuerySet,
    PolicyVersion,
    SetPurpose,
    SetStatus,
)

__all__ = [
    "NAME_TAKEN",
    "BackupItem",
    "BackupItemQuerySet",
    "BackupSchedule",
    "BackupScheduleQuerySet",
    "BackupSet",
    "BackupSetQuerySet",
    "MisfirePolicy",
    "PolicyExport",
    "PolicyVersion",
    "SetPurpose",
    "SetStatus",
]
