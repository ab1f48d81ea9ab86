"""Schedules, objectives, the backup sets that runs capture, and exports of policies."""

from backups.models.changes import AuthorGap, Change, PolicyChange, PolicyChangeQuerySet
from backups.models.days import BackupDay
from backups.models.exports import PolicyExport
from backups.models.freshness import TenantFreshness
from backups.models.objectives import DEFAULT_HOURS, MAX_HOURS, BackupObjective
from backups.models.redactions import VersionRedaction
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
    SetItem,
    SetPurpose,
    SetStatus,
    SharedItems,
    VersionCandidate,
)

__all__ = [
    "DEFAULT_HOURS",
    "MAX_CLOCK_ERROR",
    "MAX_HOURS",
    "NAME_TAKEN",
    "AuthorGap",
    "BackupDay",
    "BackupItem",
    "BackupItemQuerySet",
    "BackupObjective",
    "BackupSchedule",
    "BackupScheduleQuerySet",
    "BackupSet",
    "BackupSetQuerySet",
    "Change",
    "MisfirePolicy",
    "PolicyChange",
    "PolicyChangeQuerySet",
    "PolicyExport",
    "PolicyVersion",
    "RevisionReason",
    "ScheduleRevision",
    "SetItem",
    "SetPurpose",
    "SetStatus",
    "SharedItems",
    "TenantFreshness",
    "TimeZoneRules",
    "VersionCandidate",
    "VersionRedaction",
]
