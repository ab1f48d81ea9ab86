"""Celery's way in; nothing is decided here."""

from __future__ import annotations

from celery import shared_task

from operations import ticks
from restores import settling


@shared_task(ignore_result=True)
def settle_restores() -> None:
    """Close the restores whose run is over."""
    if ticks.acquire_tick("restores"):
        settling.settle_abandoned()
