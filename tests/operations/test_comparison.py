"""The comparison of a run with the previous run of its identity."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from operations.models import OperationRun
from operations.presentation.comparison import Comparison, compare, load_related
from operations.types import OperationRunType
from tenancy.models import Tenant, User
from tests.support.factories import OperationRunFactory, TenantFactory, failure
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

START = dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC)
IDENTITY = "a" * 64


def create_run(
    tenant: Tenant | None, day: int, *, seconds: int = 60, **columns: Any
) -> OperationRun:
    """Create a succeeded run of one identity, on a day and with a duration."""
    at = START + dt.timedelta(days=day)
    traits = columns or {"succeeded": True}
    times = {"created_at": at, "started_at": at, "completed_at": at + dt.timedelta(seconds=seconds)}
    values = {"run_identity_hash": IDENTITY, **times, **traits}
    run: OperationRun = OperationRunFactory(tenant=tenant, **values)
    return run


def compared(run: OperationRun) -> Comparison:
    _, previous = load_related(run)
    assert previous
    return compare(run, previous)


def test_the_previous_run_is_the_last_one_of_the_identity_that_started(tenant: Tenant) -> None:
    create_run(tenant, 1)
    previous = create_run(tenant, 2, type="backup_schedule.retry", partial=True)
    create_run(tenant, 3, blocked=True, started_at=None)
    create_run(tenant, 3, run_identity_hash="b" * 64, succeeded=True)
    create_run(TenantFactory(workspace=tenant.workspace), 3)
    run = create_run(tenant, 4)
    create_run(tenant, 5)

    assert load_related(run) == ([], previous)


def test_the_first_run_of_an_identity_is_compared_with_none(tenant: Tenant) -> None:
    assert load_related(create_run(tenant, 1)) == ([], None)


def test_runs_of_a_workspace_are_compared_within_the_workspace(tenant: Tenant) -> None:
    kind: dict[str, Any] = {"type": OperationRunType.WORKSPACE_INVENTORY_SYNC, "succeeded": True}
    other = TenantFactory()
    previous = create_run(None, 1, workspace=tenant.workspace, **kind)
    create_run(None, 2, workspace=other.workspace, **kind)
    run = create_run(None, 3, workspace=tenant.workspace, **kind)

    assert load_related(run) == ([], previous)


def test_retries_and_the_previous_run_come_from_one_query(
    tenant: Tenant, django_assert_num_queries: Any
) -> None:
    previous, run = create_run(tenant, 1), create_run(tenant, 2, failed=True)
    retries = [create_run(tenant, 2 + day, retry_of=run, failed=True) for day in (1, 2)]

    with django_assert_num_queries(1):
        assert load_related(run) == (retries, previous)


def test_counts_and_durations_are_compared(tenant: Tenant) -> None:
    create_run(tenant, 1, seconds=100)
    counts = {"total": 45, "processed": 43, "succeeded": 39, "failed": 3, "skipped": 1}
    run = create_run(tenant, 2, seconds=120, partial=True, summary_counts=counts)

    rows = {
        row.label: (row.value, row.before, row.change, row.outcome) for row in compared(run).rows
    }

    assert rows == {
        "Duration": ("2 min", "1 min 40 s", "20 s longer", ""),
        "Succeeded": ("39", "40", "\N{MINUS SIGN}1", "failed"),
        "Failed": ("3", "0", "+3", "failed"),
        "Skipped": ("1", "0", "+1", ""),
        "Not attempted": ("2", "0", "+2", "failed"),
        "Changed objects": ("+0 ~0 \N{MINUS SIGN}0", "+2 ~0 \N{MINUS SIGN}0", "", ""),
    }


def test_a_sync_compares_the_inventory(tenant: Tenant) -> None:
    kind: dict[str, Any] = {"type": OperationRunType.INVENTORY_SYNC, "succeeded": True}
    counts = {"total": 40, "processed": 40, "succeeded": 40, "unchanged": 25}
    create_run(tenant, 1, summary_counts=counts, **kind)
    run = create_run(tenant, 2, summary_counts=counts | {"created": 12, "deleted": 3}, **kind)

    rows = {row.label: row.value for row in compared(run).rows}

    assert rows["Inventory"] == "+12 ~0 \N{MINUS SIGN}3"


def test_new_and_vanished_causes_are_named(tenant: Tenant) -> None:
    permission = failure("permission_missing", "Needs Policy.Read.All.")
    create_run(
        tenant, 1, partial=True, failure_summary=[failure("throttled", "Too many."), permission]
    )
    run = create_run(
        tenant,
        2,
        partial=True,
        failure_summary=[permission, failure("time_limit_exceeded", "Late.")],
    )

    comparison = compared(run)

    assert [text.split(":")[0] for text in comparison.new_causes] == ["Time limit exceeded"]
    assert len(comparison.vanished_causes) == 1


def test_the_page_shows_the_comparison(client: Client, operator: User, tenant: Tenant) -> None:
    open_session(client, operator)
    previous, run = create_run(tenant, 1), create_run(tenant, 2, seconds=90, partial=True)

    content = client.get(run.get_absolute_url()).content.decode()
    first = client.get(previous.get_absolute_url()).content.decode()

    assert "Compared with the previous run" in content
    assert f'href="{previous.get_absolute_url()}"' in content
    assert "30 s longer" in content
    assert "Compared with the previous run" not in first
