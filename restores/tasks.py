"""The Celery task of restores."""

from __future__ import annotations

from celery import shared_task

from operations.ticks import acquire_tick
from restores.closing import close_orphaned_restores, end_expired_previews
from tenancy.approval_off import switch_off_due


@shared_task(ignore_result=True)
def close_restores() -> None:
    """Close restores whose run has ended or whose preview has expired; switch approvals off."""
    if acquire_tick("restores"):
        close_orphaned_restores()
        end_expired_previews()
        switch_off_due()
