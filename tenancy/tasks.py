"""The Celery task of the accounts."""

from __future__ import annotations

from celery import shared_task

from tenancy import sign_in_records


@shared_task(ignore_result=True)
def remove_expired_sign_ins() -> None:
    """Remove expired sessions and old records of sign-ins."""
    sign_in_records.remove_expired()
