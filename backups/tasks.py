"""Celery tasks of backups."""

from __future__ import annotations

from celery import shared_task

from backups import exporting, recording, redactions, retention, tick, trend
from operations import ticks


@shared_task(ignore_result=True)
def tick_backup_schedules() -> None:
    """Create the runs of due slots; delete the files of expired exports, and unneeded secrets.

    All depend on the time of day, so they wait until two ticks agree on it.
    """
    if now := ticks.acquire_steady_tick("schedules"):
        tick.tick_all(now)
        exporting.delete_expired_archives()
        retention.delete_unneeded_secrets()


@shared_task(ignore_result=True)
def count_backup_days() -> None:
    """Count the scheduled backups of the days that have ended."""
    trend.count_days()


@shared_task(ignore_result=True)
def record_missing_changes() -> None:
    """Record the changes of finished sets whose backup did not record them."""
    if ticks.acquire_tick("changes"):
        recording.record_missing()


@shared_task(ignore_result=True)
def renew_redactions() -> None:
    """Store the redacted forms of new versions, and of all versions after the rules have changed."""
    if ticks.acquire_tick("redactions"):
        redactions.renew_redactions()
