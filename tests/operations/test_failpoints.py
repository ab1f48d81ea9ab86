"""A process that exits at any step loses nothing; without failpoints no process exits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from operations import failpoints
from operations.delivery import relay
from operations.maintenance import reconciler
from operations.models import OperationRun
from operations.services import OperationRunService
from operations.states import RunStatus
from tenancy.models import Tenant
from tests.support.broker import Broker
from tests.support.factories.operations import create_queued_run, create_running_run
from tests.support.stack import ROOT, database_url

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PLACES = sorted(
    place
    for path in [*(ROOT / "operations").rglob("*.py"), *(ROOT / "backups").rglob("*.py")]
    for place in re.findall(r'failpoint\("([^"]+)"\)', Path(path).read_text())
)
WORKER_PLACES = [place for place in PLACES if place.endswith((".before", ".after"))]
RUN_PLACES = [place for place in WORKER_PLACES if not place.startswith("publish")]


@pytest.mark.parametrize(
    ("text", "probabilities"),
    [
        ("", {}),
        ("0.5", {"": 0.5}),
        ("claim.after:1", {"claim.after": 1.0}),
        ("0.1; x, y:0.2;", {"": 0.1, "x, y": 0.2}),
    ],
)
def test_the_environment_variable_is_parsed(text: str, probabilities: dict[str, float]) -> None:
    assert failpoints.parse(text) == probabilities


@pytest.mark.parametrize("text", ["2", "-1", "x", "claim.after"])
def test_an_invalid_probability_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"convert|from 0 to 1"):
        failpoints.parse(text)


def test_failpoints_do_nothing_unless_enabled() -> None:
    assert failpoints._probabilities == {}
    for place in PLACES:
        failpoints.failpoint(place)


WORKER = """
import sys
import django; django.setup()
from operations.testing import override_handler
from operations.worker import execution
from operations.types import OperationRunType as T

def work(active):
    active.expect(2)
    active.report_success("a")
    active.flush()
    active.report_success("b")

with override_handler(T.BACKUP_SCHEDULE_RUN_NOW, work):
    with override_handler(T.BACKUP_SCHEDULE_RETRY, work):
        execution.execute(int(sys.argv[1]))
"""


def execute_in_process(run_id: int, place: str = "") -> int:
    """Execute a run in a process that exits at this place; return its exit code."""
    environment = os.environ | {"DATABASE_URL": database_url()}
    if place:
        environment["RUNLEDGER_FAILPOINTS"] = f"{place}:1"
    process = subprocess.run(
        [sys.executable, "-c", WORKER, str(run_id)], cwd=ROOT, env=environment, check=False
    )
    return process.returncode


def expire_lease(run_id: int) -> None:
    """Set the last heartbeat of a running run to an hour ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET heartbeat_at = now() - interval '1 hour'"
            " WHERE id = %s AND status = 'running'",
            [run_id],
        )


@pytest.mark.parametrize("place", RUN_PLACES)
def test_a_run_is_completed_when_its_worker_exits_at_any_step(
    place: str, tenant: Tenant, broker: Broker
) -> None:
    run = create_queued_run(tenant)

    assert execute_in_process(run.pk, place) == failpoints.EXIT
    expire_lease(run.pk)
    reconciler.reconcile()
    last = OperationRun.objects.latest("pk")
    if last.status != RunStatus.COMPLETED:
        assert execute_in_process(last.pk) == 0

    last.refresh_from_db()
    assert not OperationRun.objects.active().exists()
    assert last.outcome == "succeeded", last.failures
    assert (last.counts.total, last.counts.succeeded) == (2, 2), (
        "the work was not done exactly once"
    )
    assert run.pk in (last.pk, last.retry_of_id)


DISPATCHER = """
import sys
import django; django.setup()
from operations.delivery import publisher
publisher.publish([(int(sys.argv[1]), "backup_schedule.run_now")])
"""


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
def test_a_run_is_published_when_its_dispatcher_exits_around_the_message(
    place: str, tenant: Tenant, broker: Broker
) -> None:
    run = create_queued_run(tenant)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker.url,
        "RUNLEDGER_FAILPOINTS": f"{place}:1",
    }
    process = subprocess.run(
        [sys.executable, "-c", DISPATCHER, str(run.pk)], cwd=ROOT, env=environment, check=False
    )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET next_publish_at = now()")

    sent = relay.relay_once()

    assert process.returncode == failpoints.EXIT
    assert sent == (1 if place == "publish.before" else 0)
    assert broker.waiting() == 1
    assert OperationRunService().claim(run.pk, "w")
    assert OperationRunService().claim(run.pk, "w") is None, "the run was claimed twice"


RECONCILER = """
import django; django.setup()
from operations.maintenance import reconciler
reconciler.reconcile()
"""


@pytest.mark.parametrize("place", ["reconciler.before_retry", "reconciler.before_commit"])
def test_a_reconciler_that_exits_leaves_the_run_unchanged(place: str, tenant: Tenant) -> None:
    run = create_running_run(tenant)
    expire_lease(run.pk)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "RUNLEDGER_FAILPOINTS": f"{place}:1",
    }

    process = subprocess.run(
        [sys.executable, "-c", RECONCILER], cwd=ROOT, env=environment, check=False
    )

    assert process.returncode == failpoints.EXIT
    assert OperationRun.objects.get().status == RunStatus.RUNNING
    assert reconciler.reconcile() == {"worker_lost": 1}
    assert OperationRun.objects.filter(retry_of=run).count() == 1
