"""A worker stops on the signals that supervisors send."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from backups import services
from backups.models import BackupSet
from dev.services.processes import children_of
from operations.delivery import relay
from operations.maintenance.reconciler import reconcile
from operations.models import OperationRun
from operations.reasons import LOST_WORKER
from operations.states import RunOutcome, RunStatus
from tenancy.models import User, Workspace
from tests.support.customer import MANY, Customer, MakeCustomer, MakeStack
from tests.support.stack import eventually, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def start_backup(customer: Customer, operator: User) -> OperationRun:
    """Start a backup and wait until it has read its first policy."""
    run = services.run_now(customer.schedule, operator).run
    eventually(lambda: OperationRun.objects.get(pk=run.pk).counts.processed, what="the first item")
    return run


def wait_for_stop(run: OperationRun) -> OperationRun:
    """Return the run once it has ended; on a busy machine its process is killed before it ends it."""

    def load_ended_run() -> OperationRun | None:
        reconcile()
        return OperationRun.objects.filter(pk=run.pk, status=RunStatus.COMPLETED).first()

    ended: OperationRun = eventually(load_ended_run, what=f"the end of run {run.pk}")
    return ended


def stop_worker(worker: subprocess.Popen[bytes], signals: str) -> None:
    if "every process" in signals:
        for pid in children_of(worker.pid):
            os.kill(pid, signal.SIGTERM)
    os.kill(worker.pid, signal.SIGTERM)
    if "twice" in signals:
        time.sleep(0.3)
        os.kill(worker.pid, signal.SIGTERM)


@pytest.mark.parametrize("signals", ["SIGTERM", "SIGTERM twice", "SIGTERM to every process"])
def test_a_run_beyond_the_grace_period_ends_and_its_retry_completes(
    make_customer: MakeCustomer,
    workspace: Workspace,
    make_stack: MakeStack,
    operator: User,
    signals: str,
) -> None:
    stack = make_stack(WORKER_SOFT_SHUTDOWN_SECONDS="1", RUN_LEASE_SECONDS="60")
    customer = make_customer(workspace, sizes=MANY)
    # Batches that are sent after the first items take longer than the grace period.
    customer.fault("slow", kind="batch", ms=100, times=4)
    customer.fault("slow", kind="batch", ms=8_000)
    worker = stack.start_worker()
    run = start_backup(customer, operator)

    stop_worker(worker, signals)

    ended = wait_for_stop(run)
    assert ended.outcome == RunOutcome.FAILED, stack.logs()
    assert LOST_WORKER & {cause["code"] for cause in ended.failures}
    assert worker.wait(timeout=60) is not None
    retry = ended.retries.get()
    assert retry.is_queued
    customer.graph.control.clear(customer.id)
    stack.start_worker()
    # The worker that stopped may have taken the message; beat would send another one.
    relay.relay_once()
    assert wait_for_end(retry.pk).outcome == RunOutcome.SUCCEEDED
    assert BackupSet.objects.get(operation_run=retry).is_complete


def test_a_run_within_the_grace_period_succeeds(
    customer: Customer, make_stack: MakeStack, operator: User
) -> None:
    stack = make_stack(WORKER_SOFT_SHUTDOWN_SECONDS="100")
    customer.fault("slow", ms=150)
    worker = stack.start_worker()
    run = start_backup(customer, operator)

    os.kill(worker.pid, signal.SIGTERM)

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert not OperationRun.objects.exclude(pk=run.pk).exists()
