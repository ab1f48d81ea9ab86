"""Every process uses a broker behind Sentinel or TLS, and survives a failover."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backups import services
from operations.models import OperationRun
from operations.states import RunOutcome, RunStatus
from tenancy.models import User
from tests.support.customer import Customer, MakeCustomer, MakeStack
from tests.support.sentinel import ReplicatedBroker
from tests.support.stack import ROOT, Stack, eventually, wait_for_end

pytestmark = [
    pytest.mark.integration,
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
]

PUBLISH = """
import django; django.setup()
from operations.delivery import publisher
from operations.maintenance import health, preflight
print([str(message) for message in preflight.run_preflight_checks()])
print(publisher.publish([({run_id}, "{run_type}")]))
print(health.check_health()["checks"]["broker"])
"""


def publish_in(stack: Stack, run: OperationRun) -> list[str]:
    """Run preflight checks, publisher and health in a process of the stack; return their results."""
    process = subprocess.run(
        [sys.executable, "-c", PUBLISH.format(run_id=run.pk, run_type=run.type)],
        cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


# --- Sentinel -------------------------------------------------------------------------------------


@pytest.fixture
def replicated_broker(tmp_path: Path) -> Iterator[ReplicatedBroker]:
    broker = ReplicatedBroker(tmp_path / "servers")
    yield broker
    broker.stop()


def test_a_failover_during_a_run_loses_nothing(
    customer: Customer,
    make_customer: MakeCustomer,
    make_stack: MakeStack,
    replicated_broker: ReplicatedBroker,
    operator: User,
) -> None:
    """The worker takes the next run from the new primary while the long run goes on."""
    stack = make_stack(**replicated_broker.environment)
    other = make_customer(customer.tenant.workspace)
    customer.fault("slow", ms=4_000)
    worker, beat = stack.start_worker(concurrency=3), stack.start_beat()
    long = services.run_now(customer.schedule, operator).run
    eventually(
        lambda: OperationRun.objects.get(pk=long.pk).status == RunStatus.RUNNING, what="the start"
    )
    old_primary = replicated_broker.primary

    replicated_broker.kill_primary()
    waiting = services.run_now(other.schedule, operator).run
    eventually(lambda: replicated_broker.primary != old_primary, what="the failover")

    assert wait_for_end(waiting.pk, seconds=60).outcome == RunOutcome.SUCCEEDED
    assert OperationRun.objects.get(pk=long.pk).status == RunStatus.RUNNING
    assert publish_in(stack, waiting) == ["[]", "True", "ok"]
    customer.graph.control.clear(customer.id)
    assert wait_for_end(long.pk, seconds=90).outcome == RunOutcome.SUCCEEDED
    assert long.events.filter(kind="started").count() == 1
    assert (worker.poll(), beat.poll()) == (None, None)
    assert "Unrecoverable" not in stack.logs()
