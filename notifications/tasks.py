"""Celery tasks of notifications."""

from __future__ import annotations

from celery import shared_task

from notifications import conditions, mail, matching, retention, webhooks
from operations import ticks


@shared_task(ignore_result=True)
def handle_events() -> None:
    """Turn the events of the outbox into notifications and deliveries."""
    if ticks.acquire_tick("events"):
        conditions.add_approvals()
        matching.handle_events()


@shared_task(ignore_result=True)
def send_emails() -> None:
    """Send the emails that are due."""
    if ticks.acquire_tick("emails"):
        mail.send_emails()


@shared_task(ignore_result=True)
def send_webhooks() -> None:
    """Send the webhooks that are due."""
    if ticks.acquire_tick("webhooks"):
        webhooks.send_webhooks()


@shared_task(ignore_result=True)
def add_conditions() -> None:
    """Add the events that become true with time."""
    if ticks.acquire_tick("conditions"):
        conditions.add_late_backups()
        conditions.add_expiring_credentials()


@shared_task(ignore_result=True)
def remove_old_events() -> None:
    """Remove the events that are older than their retention."""
    retention.remove_old_events()
