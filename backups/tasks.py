"""Celery tasks of backups."""

from __future__ import annotations

from celery import shared_task

from backups import exporting, tick
from operations import ticks


@shared_task(ignore_result=True)
def tick_backup_schedules() -> None:
    """Create the runs of due slots, and delete the files of expired exports."""
    if ticks.acquire_tick("schedules"):
        tick.tick_all()
        exporting.delete_expired_archives()
