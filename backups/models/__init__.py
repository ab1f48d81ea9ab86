"""Schedules, the backup sets that their runs capture, and exports of policies."""

from backups.models.exports import PolicyExport
from backups.models.schedules import (
    MAX_CLOCK_ERROR,
    NAME_TAKEN,
    BackupSchedule,
    BackupScheduleQuerySet,
    MisfirePolicy,
    RevisionReason,
    ScheduleRevision,
    TimeZoneRules,
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
    "MAX_CLOCK_ERROR",
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
    "RevisionReason",
    "ScheduleRevision",
    "SetPurpose",
    "SetStatus",
    "TimeZoneRules",
]
