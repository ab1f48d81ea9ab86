"""Celery's way in; nothing is decided here."""

from __future__ import annotations

from celery import shared_task

from backups import exporting, tick
from operations import ticks


@shared_task(ignore_result=True)
def tick_backup_schedules() -> None:
    """Give every slot that is due its run, and let go of exports that have expired."""
    if ticks.acquire_tick("schedules"):
        tick.tick_all()
        exporting.forget_expired()
