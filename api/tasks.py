"""Celery tasks of the API."""

from __future__ import annotations

from celery import shared_task

from api import idempotency


@shared_task(ignore_result=True)
def remove_old_keys() -> None:
    """Forget the idempotency keys that are older than their retention."""
    idempotency.remove_old_keys()
