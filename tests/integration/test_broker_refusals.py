"""A broker refuses commands for a while: workers wait for it, and running work goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from backups import services
from dev.services.processes import children_of
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from tenancy.models import User, Workspace
from tests.support.broker import Broker, UseBroker
from tests.support.customer import Customer, MakeCustomer, MakeStack
from tests.support.stack import Stack, eventually, wait_for_end

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

#: A server that loads its log answers clients after this many commands.
COMMANDS_BETWEEN_ANSWERS = 1024
#: A primary to which no replica can connect.
NOWHERE = ("127.0.0.1", "1")

Commands = list[tuple[str, ...]]
#: What makes a broker refuse commands, and what ends that, by the code of its refusal.
INCIDENTS: dict[str, tuple[Commands, Commands]] = {
    "READONLY": ([("REPLICAOF", *NOWHERE)], [("REPLICAOF", "NO", "ONE")]),
    "MASTERDOWN": (
        [("CONFIG", "SET", "replica-serve-stale-data", "no"), ("REPLICAOF", *NOWHERE)],
        [("REPLICAOF", "NO", "ONE")],
    ),
    "NOREPLICAS": (
        [("CONFIG", "SET", "min-replicas-to-write", "1")],
        [("CONFIG", "SET", "min-replicas-to-write", "0")],
    ),
    "NOPERM": (
        [("ACL", "SETUSER", "default", "-@write")],
        [("ACL", "SETUSER", "default", "+@all")],
    ),
    "UNBLOCKED": (
        [("REPLICAOF", *NOWHERE), ("REPLICAOF", "NO", "ONE")],
        [],
    ),
}


def execute_all(broker: Broker, commands: Commands) -> None:
    for command in commands:
        broker.execute(*command)


def count_refusals(stack: Stack, code: str) -> int:
    return stack.logs().count(f"{code} ")


def wait_for_refusal(stack: Stack, code: str) -> None:
    """Wait until the logs of a stack have a refusal with a code."""
    eventually(lambda: count_refusals(stack, code), what=f"a refusal with {code}")


def refuse_once(stack: Stack, broker: Broker, code: str) -> None:
    """Cause an incident, and again until a process has met it: some refuse only waiting commands."""
    former = count_refusals(stack, code)

    def refused() -> bool:
        execute_all(broker, INCIDENTS[code][0])
        return count_refusals(stack, code) > former

    eventually(refused, what=f"a refusal with {code}")


def is_running(run: OperationRun) -> bool:
    return OperationRun.objects.filter(pk=run.pk, status=RunStatus.RUNNING).exists()


def count_starts(run: OperationRun) -> int:
    return run.events.filter(kind="started").count()


@pytest.fixture
def others(make_customer: MakeCustomer, workspace: Workspace) -> list[Customer]:
    return [make_customer(workspace) for _ in range(3)]


@pytest.mark.long
def test_a_worker_takes_the_next_run_after_a_refusal_while_a_long_run_goes_on(
    customer: Customer, others: list[Customer], stack: Stack, broker: Broker, operator: User
) -> None:
    customer.fault("slow", ms=8_000)
    worker = stack.start_worker(concurrency=3)
    stack.start_beat()
    long = services.run_now(customer.schedule, operator).run
    eventually(lambda: is_running(long), what="the start of the long run")

    for code, (_, remedy) in INCIDENTS.items():
        refuse_once(stack, broker, code)
        waiting = services.run_now(others[0].schedule, operator).run
        execute_all(broker, remedy)

        assert wait_for_end(waiting.pk).outcome == RunOutcome.SUCCEEDED, code
        assert is_running(long), code

    customer.graph.control.clear(customer.id)
    assert wait_for_end(long.pk).outcome == RunOutcome.SUCCEEDED
    assert count_starts(long) == 1
    assert worker.poll() is None
    assert "Unrecoverable" not in stack.logs()


def test_a_message_that_the_broker_does_not_take_back_occupies_no_slot(
    customer: Customer, others: list[Customer], stack: Stack, broker: Broker, operator: User
) -> None:
    """A worker loses its process during a failover, while all its slots are in use."""
    customer.fault("slow", ms=2_000)
    worker = stack.start_worker(concurrency=1)
    lost = services.run_now(customer.schedule, operator).run
    eventually(lambda: is_running(lost), what="the start of the run")

    refuse, accept = INCIDENTS["READONLY"]
    execute_all(broker, refuse)
    os.kill(children_of(worker.pid)[0], signal.SIGKILL)
    eventually(lambda: "Couldn't reject" in stack.logs(), what="a refused message")
    execute_all(broker, accept)
    waiting = services.run_now(others[0].schedule, operator).run

    assert wait_for_end(waiting.pk).outcome == RunOutcome.SUCCEEDED, stack.logs()


def test_workers_make_room_on_a_full_broker(
    customer: Customer, others: list[Customer], stack: Stack, broker: Broker, operator: User
) -> None:
    """Running and new workers take the messages of a broker that accepts none."""
    running_worker = stack.start_worker(concurrency=1)
    customer.fault("slow", ms=4_000)
    first = services.run_now(customer.schedule, operator).run
    eventually(lambda: is_running(first), what="the start of the first run")
    runs = [services.run_now(other.schedule, operator).run for other in others]

    broker.fill()
    new_worker = stack.start_worker(concurrency=1)

    for run in runs:
        assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED
    assert is_running(first)
    assert broker.waiting("backup") == 0
    broker.configure("maxmemory", "0")
    customer.graph.control.clear(customer.id)
    assert wait_for_end(first.pk).outcome == RunOutcome.SUCCEEDED
    last = services.run_now(customer.schedule, operator).run
    assert wait_for_end(last.pk).outcome == RunOutcome.SUCCEEDED
    assert running_worker.poll() is None
    assert new_worker.poll() is None
    assert "Unrecoverable" not in stack.logs()


def test_a_worker_starts_on_a_broker_that_refuses_writes(
    customer: Customer, stack: Stack, broker: Broker, operator: User
) -> None:
    run = services.run_now(customer.schedule, operator).run
    commands, remedy = INCIDENTS["READONLY"]
    execute_all(broker, commands)
    worker = stack.start_worker(ready=False)
    wait_for_refusal(stack, "READONLY")

    execute_all(broker, remedy)

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED
    assert worker.poll() is None


def test_a_worker_starts_while_the_broker_loads_its_data(
    customer: Customer, make_stack: MakeStack, loading_broker: Broker, operator: User
) -> None:
    stack = make_stack(REDIS_URL=loading_broker.url)
    run = services.run_now(customer.schedule, operator).run
    loading_broker.kill()

    worker = stack.start_worker(ready=False)
    eventually(lambda: "Cannot connect" in stack.logs(), what="the worker's attempt")
    loading_broker.start(wait=False)

    assert wait_for_end(run.pk).outcome == RunOutcome.SUCCEEDED
    assert worker.poll() is None
    assert "LOADING" in stack.logs()


@pytest.fixture
def loading_broker(tmp_path: Path, use_broker: UseBroker) -> Iterator[Broker]:
    """A broker that loads its data slowly when it starts."""
    broker = Broker(
        tmp_path / "loading",
        appendonly="yes",
        appendfsync="always",
        key_load_delay="1000",
    )
    with Redis(unix_socket_path=str(broker.socket)) as client, client.pipeline(False) as commands:
        for key in range(12 * COMMANDS_BETWEEN_ANSWERS):
            commands.set(f"key {key}", "")
        commands.execute()
    use_broker(broker.url)
    yield broker
    broker.stop()
