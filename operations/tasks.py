"""Celery's way in; nothing is decided here."""

from __future__ import annotations

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from operations import ticks
from operations.delivery import relay
from operations.maintenance import integrity, prune, reconciler
from operations.worker import execution
from operations.worker.heartbeat import end_process


@shared_task(acks_late=True, ignore_result=True)
def execute_operation_run(run_id: int) -> None:
    """Run one operation; a message delivered twice runs it once."""
    execution.execute(run_id, hard_stop=end_process)


@shared_task(ignore_result=True)
def relay_queued_runs() -> None:
    """Send again the runs that nobody has taken."""
    if ticks.acquire_tick("relay"):
        relay.relay_once()


@shared_task(ignore_result=True)
def reconcile_runs() -> None:
    """End the runs that died."""
    if ticks.acquire_tick("reconciler"):
        reconciler.reconcile()


@shared_task(ignore_result=True)
def check_ledger() -> None:
    """Ask the database whether the invariants hold.

    What an outage has left is ended by the ticks that follow it, and is no broken promise.
    """
    if not all(result.is_kept for result in integrity.check_invariants()):
        time.sleep(2 * settings.TICK_SECONDS)
    integrity.check_ledger()


@shared_task(ignore_result=True)
def prune_old_runs() -> None:
    """Start today's retention where it is due."""
    prune.dispatch_due(timezone.now())
