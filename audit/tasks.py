"""Celery tasks of the audit log."""

from __future__ import annotations

from celery import shared_task

from audit import chain


@shared_task(ignore_result=True)
def seal_audit_log() -> None:
    """Seal the new entries of the audit log."""
    chain.seal_entries()


@shared_task(ignore_result=True)
def remove_old_audit_entries() -> None:
    """Remove the entries that the settings no longer keep."""
    chain.remove_old_entries()
