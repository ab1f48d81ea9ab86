"""Celery tasks of accounts."""

from __future__ import annotations

from celery import shared_task

from accounts.password_reset import services
from operations import ticks


@shared_task(ignore_result=True)
def send_password_resets() -> None:
    """Send the links that users have requested."""
    if ticks.acquire_tick("password resets"):
        services.send_requested()
