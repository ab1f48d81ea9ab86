"""Faults of the surroundings that a worker outlives: a dead socket, a log nobody takes, a newer web."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator

import pytest
from celery import current_app

from backups import services
from backups.requests import run_now_request
from dev.chaos.cluster import children_of
from operations.catalog import OperationCatalog
from operations.delivery.publisher import TASK
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.integration.proxy import Proxy
from tests.support.broker import Broker
from tests.support.customer import Customer, MakeStack
from tests.support.stack import Stack, eventually

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(240),
]

#: Generous: kombu looks after its silent connection every 25 s, and twice.
BOUND = 150.0


def ended(run: OperationRun, *, seconds: float = 60) -> OperationRun:
    def look() -> OperationRun | None:
        return OperationRun.objects.filter(pk=run.pk, status=RunStatus.COMPLETED).first()

    found: OperationRun = eventually(look, seconds=seconds, what=f"the end of run {run.pk}")
    return found


# --- a dead socket ----------------------------------------------------------------------------------


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    between = Proxy(broker.socket)
    yield between
    between.close()


def test_a_worker_whose_connections_went_dead_consumes_again(
    customer: Customer, make_stack: MakeStack, proxy: Proxy, operator: User
) -> None:
    stack = make_stack(REDIS_URL=proxy.url)
    worker = stack.worker()
    stack.beat()
    ended(services.run_now(customer.schedule, operator).run)

    proxy.go_dead()
    before = proxy.connections
    run = services.run_now(customer.schedule, operator).run

    assert ended(run, seconds=BOUND).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert worker.poll() is None, "it was not started again"
    assert proxy.connections > before
    assert run.events.filter(kind="started").count() == 1


# --- a log that nobody takes ------------------------------------------------------------------------


def the_reader_is_gone(stack: Stack) -> subprocess.Popen[bytes]:
    """A worker whose log goes into a pipe, and whose collector dies."""
    reading, writing = os.pipe()
    worker = stack.worker(output=writing)
    os.close(writing)
    with open(reading, "rb") as collector:
        assert any(b" ready." in line for line in collector)
    return worker


def the_disk_is_full(stack: Stack) -> subprocess.Popen[bytes]:
    """A worker whose log is a file that cannot grow any more."""
    worker = stack.worker()
    for pid in [worker.pid, *children_of(worker.pid)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    return worker


@pytest.mark.parametrize("a_worker_when", [the_reader_is_gone, the_disk_is_full])
def test_a_run_goes_on_when_nobody_takes_the_log(
    customer: Customer,
    stack: Stack,
    operator: User,
    a_worker_when: Callable[[Stack], subprocess.Popen[bytes]],
) -> None:
    worker = a_worker_when(stack)

    run = services.run_now(customer.schedule, operator).run

    assert ended(run).outcome == RunOutcome.SUCCEEDED
    assert worker.poll() is None
    assert f"run {run.pk} ended" not in stack.logs()


# --- a web that is newer than its workers -----------------------------------------------------------


def test_a_message_of_a_newer_version_costs_a_moment_and_not_the_run(
    customer: Customer, stack: Stack, operator: User
) -> None:
    """It says more than this worker understands; the relay sends one that it does."""
    run = OperationRunService().ensure_run(run_now_request(customer.schedule, operator)).run
    queue = OperationCatalog.get(run.type).queue.value
    worker = stack.worker()
    current_app.send_task(TASK, args=[run.pk], kwargs={"added_later": 1}, queue=queue)
    eventually(lambda: "added_later" in stack.logs(), what="the worker's complaint")
    assert OperationRun.objects.get(pk=run.pk).is_queued

    stack.beat()

    assert ended(run).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert worker.poll() is None
