"""A worker that is told to stop, by the signal that every supervisor sends."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from backups import services
from backups.models import BackupSet
from dev.chaos.cluster import children_of
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.support.customer import Customer, MakeStack
from tests.support.stack import Stack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def now(run: OperationRun) -> OperationRun:
    return OperationRun.objects.get(pk=run.pk)


def a_run_at_work(customer: Customer, operator: User) -> OperationRun:
    """A backup that has read its first policy."""
    run = services.run_now(customer.schedule, operator).run
    eventually(lambda: now(run).counts.processed, what="the first item")
    return run


def tell_to_stop(worker: subprocess.Popen[bytes], how: str) -> None:
    for pid in [*(children_of(worker.pid) if "every" in how else []), worker.pid]:
        os.kill(pid, getattr(signal, how.split(maxsplit=1)[0]))
    if "twice" in how:
        time.sleep(0.3)
        os.kill(worker.pid, signal.SIGTERM)


def wait_for_the_end(run: OperationRun, stack: Stack) -> OperationRun:
    eventually(lambda: now(run).status == RunStatus.COMPLETED, what=f"the end\n{stack.logs()}")
    return now(run)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGTERM twice", "SIGTERM to every process"])
def test_work_that_needs_longer_than_the_grace_ends_and_its_retry_does_the_rest(
    customer: Customer, make_stack: MakeStack, operator: User, how: str
) -> None:
    stack = make_stack(WORKER_SOFT_SHUTDOWN_SECONDS="1", RUN_LEASE_SECONDS="60")
    customer.fault("slow", ms=1500)
    worker = stack.worker()
    run = a_run_at_work(customer, operator)

    tell_to_stop(worker, how)

    ended = wait_for_the_end(run, stack)
    assert ended.outcome == RunOutcome.FAILED, stack.logs()
    assert "worker_shutdown" in {cause["code"] for cause in ended.failures}
    assert worker.wait(timeout=20) is not None
    retry = ended.retries.get()
    assert retry.is_queued
    customer.graph.control.clear(customer.id)
    stack.worker()
    assert wait_for_the_end(retry, stack).outcome == RunOutcome.SUCCEEDED
    assert BackupSet.objects.get(operation_run=retry).is_complete


def test_work_that_is_done_within_the_grace_ends_as_if_nothing_were(
    customer: Customer, make_stack: MakeStack, operator: User
) -> None:
    stack = make_stack(WORKER_SOFT_SHUTDOWN_SECONDS="25")
    customer.fault("slow", ms=150)
    worker = stack.worker()
    run = a_run_at_work(customer, operator)

    os.kill(worker.pid, signal.SIGTERM)

    assert wait_for_the_end(run, stack).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert not OperationRun.objects.exclude(pk=run.pk).exists()
