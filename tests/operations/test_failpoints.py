"""A process that dies at any step loses nothing; and no process dies that was not told to."""

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
from tests.support.factories.operations import a_queued_run, a_running_run
from tests.support.stack import ROOT, database_url

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PLACES = sorted(
    place
    for path in [*(ROOT / "operations").rglob("*.py"), *(ROOT / "backups").rglob("*.py")]
    for place in re.findall(r'failpoint\("([^"]+)"\)', Path(path).read_text())
)
OF_A_WORKER = [place for place in PLACES if place.endswith((".before", ".after"))]
OF_A_RUN = [place for place in OF_A_WORKER if not place.startswith("publish")]


@pytest.mark.parametrize(
    ("text", "chances"),
    [
        ("", {}),
        ("0.5", {"": 0.5}),
        ("claim.after:1", {"claim.after": 1.0}),
        ("0.1; x, y:0.2;", {"": 0.1, "x, y": 0.2}),
    ],
)
def test_the_variable_is_read(text: str, chances: dict[str, float]) -> None:
    assert failpoints.parse(text) == chances


@pytest.mark.parametrize("text", ["2", "-1", "x", "claim.after"])
def test_a_chance_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"convert|from 0 to 1"):
        failpoints.parse(text)


def test_nobody_dies_who_was_not_told_to() -> None:
    assert failpoints._chances == {}
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


def work(run_id: int, place: str = "") -> int:
    """Do a run in a process that dies at this place; its exit code."""
    environment = os.environ | {"DATABASE_URL": database_url()}
    if place:
        environment["RUNLEDGER_FAILPOINTS"] = f"{place}:1"
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(run_id)], cwd=ROOT, env=environment, check=False
    )
    return done.returncode


def silence(run_id: int) -> None:
    """Let the lease of a run end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET heartbeat_at = now() - interval '1 hour'"
            " WHERE id = %s AND status = 'running'",
            [run_id],
        )


@pytest.mark.parametrize("place", OF_A_RUN)
def test_a_worker_may_die_at_any_step_of_a_run(place: str, tenant: Tenant, broker: Broker) -> None:
    run = a_queued_run(tenant)

    assert work(run.pk, place) == failpoints.EXIT
    silence(run.pk)
    reconciler.reconcile()
    last = OperationRun.objects.latest("pk")
    if last.status != RunStatus.COMPLETED:
        assert work(last.pk) == 0

    last.refresh_from_db()
    assert not OperationRun.objects.active().exists()
    assert last.outcome == "succeeded", last.failures
    assert (last.counts.total, last.counts.succeeded) == (2, 2), "the work was done once"
    assert run.pk in (last.pk, last.retry_of_id)


DISPATCHER = """
import sys
import django; django.setup()
from operations.delivery import publisher
publisher.publish([(int(sys.argv[1]), "backup_schedule.run_now")])
"""


@pytest.mark.parametrize("place", ["publish.before", "publish.after"])
def test_whoever_dispatches_may_die_around_the_message(
    place: str, tenant: Tenant, broker: Broker
) -> None:
    run = a_queued_run(tenant)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "REDIS_URL": broker.url,
        "RUNLEDGER_FAILPOINTS": f"{place}:1",
    }
    died = subprocess.run(
        [sys.executable, "-c", DISPATCHER, str(run.pk)], cwd=ROOT, env=environment, check=False
    )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE operation_runs SET next_publish_at = now()")

    sent = relay.relay_once()

    assert died.returncode == failpoints.EXIT
    assert sent == 1
    assert broker.waiting() == (2 if place == "publish.after" else 1)
    assert OperationRunService().claim(run.pk, "w")
    assert OperationRunService().claim(run.pk, "w") is None, "the second message finds nothing"


RECONCILER = """
import django; django.setup()
from operations.maintenance import reconciler
reconciler.reconcile()
"""


@pytest.mark.parametrize("place", ["reconciler.before_retry", "reconciler.before_commit"])
def test_a_reconciler_that_dies_has_ended_nothing_by_half(place: str, tenant: Tenant) -> None:
    run = a_running_run(tenant)
    silence(run.pk)
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "RUNLEDGER_FAILPOINTS": f"{place}:1",
    }

    died = subprocess.run(
        [sys.executable, "-c", RECONCILER], cwd=ROOT, env=environment, check=False
    )

    assert died.returncode == failpoints.EXIT
    assert OperationRun.objects.get().status == RunStatus.RUNNING
    assert reconciler.reconcile() == {"worker_lost": 1}
    assert OperationRun.objects.filter(retry_of=run).count() == 1
