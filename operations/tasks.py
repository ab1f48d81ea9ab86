"""The Celery tasks; each one calls the module that does the work."""

from __future__ import annotations

import time

from celery import shared_task
from django.conf import settings

from operations import ticks
from operations.delivery import relay
from operations.maintenance import incidents, integrity, prune, reconciler, settling
from operations.metrics import counting
from operations.worker import execution
from operations.worker.heartbeat import end_process
from tenancy.db import database_now


@shared_task(acks_late=True, ignore_result=True)
def execute_operation_run(run_id: int) -> None:
    """Execute a run; a message that is delivered twice executes it once."""
    execution.execute(run_id, hard_stop=end_process)


@shared_task(ignore_result=True)
def relay_queued_runs() -> None:
    """Publish queued runs again that no worker has claimed."""
    if ticks.acquire_tick("relay"):
        relay.relay_all()


@shared_task(ignore_result=True)
def reconcile_runs() -> None:
    """End the lost runs."""
    if ticks.acquire_tick("reconciler"):
        reconciler.reconcile()


@shared_task(ignore_result=True)
def settle_runs() -> None:
    """Settle the problems that did not get everything when they ended, and update the incidents."""
    if ticks.acquire_tick("settling"):
        settling.settle()
        incidents.update_incidents()


@shared_task(ignore_result=True)
def update_metrics() -> None:
    """Add what happened since the last tick to the counters of `/metrics`."""
    if ticks.acquire_tick("metrics"):
        counting.update_metrics()


@shared_task(ignore_result=True)
def check_ledger() -> None:
    """Check the invariants of the ledger.

    After an outage, the next ticks end what it left behind. A violation is therefore recorded only
    if it still exists after two ticks.
    """
    if not all(result.is_kept for result in integrity.check_invariants()):
        time.sleep(2 * settings.TICK_SECONDS)
    integrity.check_ledger()


@shared_task(ignore_result=True)
def prune_old_runs() -> None:
    """Start today's retention in the workspaces where it is due."""
    prune.dispatch_due(database_now())
