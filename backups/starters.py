"""Backups for `manage.py runs start`."""

from __future__ import annotations

from backups.models import BackupSchedule
from backups.services import run_now
from operations.starters import Target, register_starter
from operations.types import OperationRunType

SCHEDULE = Target("schedule", BackupSchedule.objects.with_scope())

register_starter(OperationRunType.BACKUP_SCHEDULE_RUN_NOW, SCHEDULE, run_now)
