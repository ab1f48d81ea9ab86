"""The Celery task of restores."""

from __future__ import annotations

from celery import shared_task

from operations.ticks import acquire_tick
from restores.closing import close_orphaned_restores, end_expired_previews


@shared_task(ignore_result=True)
def close_restores() -> None:
    """Close the restores whose run has ended, and end those whose preview has expired."""
    if acquire_tick("restores"):
        close_orphaned_restores()
        end_expired_previews()
