"""A worker survives dead connections, a log that cannot be written, and messages of a newer version."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator

import pytest
from celery import current_app

from backups import services
from backups.requests import run_now_request
from dev.services.processes import children_of
from operations.catalog import OperationCatalog
from operations.delivery.publisher import TASK
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunOutcome
from tenancy.models import User
from tests.integration.proxy import Proxy
from tests.support.broker import Broker
from tests.support.customer import Customer, MakeStack
from tests.support.stack import Stack, eventually, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

#: Generous: kombu checks an idle connection every 25 s and needs two checks.
DEAD_CONNECTION_SECONDS = 150.0


# --- a dead connection ----------------------------------------------------------------------------


@pytest.fixture
def proxy(broker: Broker) -> Iterator[Proxy]:
    broker_proxy = Proxy(broker.socket)
    yield broker_proxy
    broker_proxy.close()


def test_a_worker_reconnects_after_its_connections_become_dead(
    customer: Customer, make_stack: MakeStack, proxy: Proxy, operator: User
) -> None:
    stack = make_stack(REDIS_URL=proxy.url)
    worker = stack.start_worker()
    stack.start_beat()
    wait_for_end(services.run_now(customer.schedule, operator).run.pk)

    proxy.go_dead()
    before = proxy.connections
    run = services.run_now(customer.schedule, operator).run

    assert wait_for_end(run.pk, seconds=DEAD_CONNECTION_SECONDS).outcome == RunOutcome.SUCCEEDED, (
        stack.logs()
    )
    assert worker.poll() is None, "the worker exited"
    assert proxy.connections > before
    assert run.events.filter(kind="started").count() == 1


# --- a log that cannot be written -----------------------------------------------------------------


def start_worker_without_log_reader(stack: Stack) -> subprocess.Popen[bytes]:
    """Start a worker that logs into a pipe, then close the reading end."""
    reading, writing = os.pipe()
    worker = stack.start_worker(output=writing)
    os.close(writing)
    with open(reading, "rb") as collector:
        assert any(b" ready." in line for line in collector)
    return worker


def start_worker_with_full_disk(stack: Stack) -> subprocess.Popen[bytes]:
    """Start a worker, then prevent its log file from growing."""
    worker = stack.start_worker()
    for pid in [worker.pid, *children_of(worker.pid)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    return worker


@pytest.mark.parametrize(
    "start_worker", [start_worker_without_log_reader, start_worker_with_full_disk]
)
def test_a_run_continues_when_the_log_cannot_be_written(
    customer: Customer,
    stack: Stack,
    operator: User,
    start_worker: Callable[[Stack], subprocess.Popen[bytes]],
) -> None:
    worker = start_worker(stack)

    run = services.run_now(customer.schedule, operator).run

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED
    assert worker.poll() is None
    assert f"run {run.pk} ended" not in stack.logs()


# --- a message of a newer version -----------------------------------------------------------------


def test_a_run_survives_a_message_of_a_newer_version(
    customer: Customer, stack: Stack, operator: User
) -> None:
    """The worker cannot read the message; the relay publishes one that it can read."""
    run = OperationRunService().ensure_run(run_now_request(customer.schedule, operator)).run
    queue = OperationCatalog.get(run.type).queue.value
    worker = stack.start_worker()
    current_app.send_task(TASK, args=[run.pk], kwargs={"added_later": 1}, queue=queue)
    eventually(lambda: "added_later" in stack.logs(), what="the error in the worker's log")
    assert OperationRun.objects.get(pk=run.pk).is_queued

    stack.start_beat()

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()
    assert worker.poll() is None
