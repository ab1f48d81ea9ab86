"""Why a queued run waits: the workers of its queue, the runs they execute, the run that blocked it."""

from __future__ import annotations

import datetime as dt
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from operations import ticks
from operations.models import OperationRun
from operations.presentation import expected_duration
from operations.presentation.expected_duration import Expectation, expected_end
from operations.presentation.queue_workers import load_queue_workers
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.operations import RETRY, RUN_NOW, create_queued_run
from tests.support.sessions import open_session
from tests.support.stack import eventually

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    open_session(client, operator)
    return client


def seconds_ago(seconds: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(seconds=seconds)


def create_past(tenant: Tenant, seconds: float, count: int = 5) -> None:
    """Create runs that took this long, which make the duration usual."""
    for day in range(1, count + 1):
        start = timezone.now() - dt.timedelta(days=day)
        OperationRunFactory(
            tenant=tenant,
            succeeded=True,
            created_at=start,
            started_at=start,
            completed_at=start + dt.timedelta(seconds=seconds),
        )


def create_busy(tenant: Tenant, *, worker: str = "worker-1:7", **columns: Any) -> OperationRun:
    counts: dict[str, int] = {}
    values = {"summary_counts": counts, "started_at": seconds_ago(60), **columns}
    run: OperationRun = OperationRunFactory(tenant=tenant, running=True, worker=worker, **values)
    return run


def test_busy_workers_and_their_runs_are_named(page: Client, tenant: Tenant) -> None:
    create_past(tenant, 600)
    busy = create_busy(tenant)
    create_busy(tenant, worker="worker-2:8", type=RETRY.value)
    create_busy(tenant, worker="worker-3:9", type=OperationRunType.INVENTORY_SYNC.value)
    waiting = create_queued_run(tenant)

    content = " ".join(page.get(waiting.get_absolute_url()).content.decode().split())

    assert "2 workers are busy on this queue; the first run ends" in content
    assert f'<a href="{busy.get_absolute_url()}">#{busy.pk} Backup now</a>' in content


def test_the_run_that_should_end_first_comes_first(tenant: Tenant) -> None:
    create_past(tenant, 600)
    late = create_busy(tenant, started_at=seconds_ago(60))
    early = create_busy(tenant, started_at=seconds_ago(500))
    unknown = create_busy(tenant, started_at=seconds_ago(5000))

    workers = load_queue_workers(create_queued_run(tenant))

    assert workers
    assert [each.run for each in workers.runs] == [early, late, unknown]
    assert workers.free_at == workers.runs[0].ends_at
    assert workers.runs[2].ends_at is None


def test_runs_of_another_workspace_are_counted_but_not_named(page: Client, tenant: Tenant) -> None:
    foreign = create_busy(TenantFactory(name="Secret Tenant"))
    waiting = create_queued_run(tenant)

    content = page.get(waiting.get_absolute_url()).content.decode()

    assert "1 worker is busy on this queue" in " ".join(content.split())
    assert "Secret Tenant" not in content
    assert foreign.get_absolute_url() not in content


def test_a_worker_that_does_not_respond_is_not_busy(tenant: Tenant) -> None:
    create_busy(tenant, heartbeat_at=seconds_ago(600))

    workers = load_queue_workers(create_queued_run(tenant))

    assert workers
    assert workers.busy == 0


def test_without_a_busy_worker_the_last_claim_is_shown(page: Client, tenant: Tenant) -> None:
    waiting = create_queued_run(tenant)
    assert "No worker has taken a run from this queue yet." in " ".join(
        page.get(waiting.get_absolute_url()).content.decode().split()
    )

    ticks.record_claim(RUN_NOW)

    content = page.get(waiting.get_absolute_url()).content.decode()
    assert "The last run was taken from it" in content


def test_a_blocked_slot_names_the_run_that_was_still_active(page: Client, tenant: Tenant) -> None:
    create_past(tenant, 600)
    active = create_busy(tenant)
    blocked = OperationRunFactory(
        tenant=tenant, blocked=True, type=RETRY, context={"previous_run_id": active.pk}
    )

    content = " ".join(page.get(blocked.get_absolute_url()).content.decode().split())

    assert f'Run that was still active: <a href="{active.get_absolute_url()}">' in content
    assert "ends about" in content


def test_a_blocking_run_of_another_workspace_is_not_shown(page: Client, tenant: Tenant) -> None:
    foreign = create_busy(TenantFactory())
    blocked = OperationRunFactory(
        tenant=tenant, blocked=True, context={"previous_run_id": foreign.pk}
    )

    assert "still active:" not in page.get(blocked.get_absolute_url()).content.decode()


# --- when a run should end ----------------------------------------------------------------------

USUAL = Expectation(dt.timedelta(seconds=100), dt.timedelta(seconds=200), from_history=True)


@pytest.mark.parametrize(
    ("elapsed", "done", "expected", "total"),
    [
        (10, 0, USUAL, 100),  # nothing is processed: what is usual
        (150, 0, USUAL, 200),  # longer than usual: like the slow ones
        (300, 0, USUAL, None),  # longer than the slow ones: unknown
        (300, 75, USUAL, 400),  # its rate
        (50, 25, USUAL, 150),  # between its rate (200) and what is usual (100)
        (40, 10, None, 400),  # no earlier runs: its rate
        (40, 1, None, None),  # too little of it is processed
        (40, 0, None, None),
    ],
)
def test_the_end_follows_from_the_rate_and_from_earlier_runs(
    tenant: Tenant, elapsed: int, done: int, expected: Expectation | None, total: int | None
) -> None:
    counts = {"total": 100, "processed": done, "succeeded": done}
    run = create_busy(tenant, summary_counts=counts)
    assert run.started_at is not None
    now = run.started_at + dt.timedelta(seconds=elapsed)

    with mock.patch.object(expected_duration, "request_now", return_value=now):
        ends_at = expected_end(run, expected)

    if total is None:
        assert ends_at is None
    else:
        assert ends_at is not None
        assert ends_at - run.started_at == dt.timedelta(seconds=total)


@pytest.mark.parametrize("columns", [{"cancel_requested_at": timezone.now()}, {"failed": True}, {}])
def test_the_end_of_other_runs_is_not_estimated(tenant: Tenant, columns: dict[str, Any]) -> None:
    if "cancel_requested_at" in columns:
        columns["running"] = True

    assert expected_end(OperationRunFactory(tenant=tenant, **columns), USUAL) is None


def test_the_page_says_when_a_run_should_end(page: Client, tenant: Tenant) -> None:
    create_past(tenant, 6000)
    run = create_busy(tenant)
    soon = create_busy(tenant, started_at=seconds_ago(5990))

    def is_unchanged() -> bool:
        section = page.get(run.get_absolute_url()).context["run_live"]
        assert "ends about" in section.body
        return page.get(section.url, headers=HTMX).status_code == 204

    assert "ends within a minute" in page.get(soon.get_absolute_url()).content.decode()
    eventually(is_unchanged, what="a page that stays the same")
