"""Celery's way in; nothing is decided here."""

from __future__ import annotations

from celery import shared_task

from backups import tick


@shared_task(ignore_result=True)
def tick_backup_schedules() -> None:
    """Give every slot that is due its run."""
    tick.tick_all()
