"""The gate of an upgrade of Celery: a worker lives on when its broker goes away under its work.

The worker of Celery 5.7.0 does not: it ends when the connection is lost during a task that is
acknowledged late. Before another version goes into requirements/base.in, this is green with it, and so
is `make chaos`.
"""

from __future__ import annotations

import pytest

from backups import services
from dev.chaos.cluster import children_of
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.support.broker import Broker
from tests.support.customer import Customer
from tests.support.stack import Stack, eventually

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def now(run: OperationRun) -> OperationRun:
    return OperationRun.objects.get(pk=run.pk)


def outcome(run: OperationRun, stack: Stack) -> str:
    eventually(
        lambda: now(run).status == RunStatus.COMPLETED,
        seconds=60,
        what=f"the end of run {run.pk}\n{stack.logs()}",
    )
    return now(run).outcome


def test_a_worker_and_its_work_survive_the_loss_of_the_broker(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    customer.fault("slow", ms=500)
    worker = stack.worker()
    children = children_of(worker.pid)
    first = services.run_now(customer.schedule, operator).run
    eventually(lambda: now(first).counts.processed, what="the first item")

    broker.kill()
    eventually(lambda: "onnection to broker lost" in stack.logs(), what="the loss being noticed")
    assert outcome(first, stack) == RunOutcome.SUCCEEDED, stack.logs()
    broker.start()
    customer.graph.control.clear(customer.id)
    stack.beat()
    second = services.run_now(customer.schedule, operator).run

    assert outcome(second, stack) == RunOutcome.SUCCEEDED, stack.logs()
    assert worker.poll() is None, stack.logs()
    assert children_of(worker.pid) == children
    assert OperationRun.objects.count() == 2
