"""The hot statements use the small indexes made for them, by Postgres' own choice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from operations import dispatch
from operations.delivery import relay
from operations.dispatch import RunRequest
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant
from tests.support.factories.operations import a_request, a_running_run, a_slot_request

ENDED_ROWS = 6_000

# A ledger as it is: nearly all of it history, some active, some of it unacknowledged.
FILL = """
INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
    run_identity_hash, context, created_at, started_at, completed_at, acknowledged_at)
SELECT %(workspace)s, %(tenant)s, 'Schedule', 'backup_schedule.scheduled', 'completed',
    CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END,
    encode(sha256(n::text::bytea), 'hex'),
    jsonb_build_object('backup_schedule_id', n, 'scheduled_for', '2026-03-08T07:00Z'),
    now() - n * interval '1 minute', now(), now(),
    CASE WHEN n %% 50 = 0 AND n > 500 THEN now() END
FROM generate_series(1, %(rows)s) n
"""


@pytest.fixture
def ledger(tenant: Tenant) -> Tenant:
    """A tenant with some thousand ended runs and some active ones, known to the planner."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"workspace": tenant.workspace_id, "tenant": tenant.pk, "rows": ENDED_ROWS}
        )
    OperationRunService().ensure_runs([a_request(tenant, at) for at in range(100_000, 100_020)])
    a_running_run(tenant, 200_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE operation_runs")
    return tenant


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def plan_of(sql: str, parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
        (found,) = cursor.fetchone()
    tree = json.loads(found) if isinstance(found, str) else found
    return list(nodes(tree[0]["Plan"]))


def scans_of(sql: str, parameters: Any) -> set[str]:
    """The indexes through which a statement reads the runs; a scan of the whole table as such."""
    scans = set()
    for node in plan_of(sql, parameters):
        if node.get("Relation Name") == "operation_runs" and node["Node Type"] == "Seq Scan":
            scans.add("the whole table")
        elif name := node.get("Index Name"):
            scans.add(name)
    return scans


def scans_of_queryset(queryset: QuerySet[OperationRun]) -> set[str]:
    return scans_of(*queryset.query.sql_with_params())


#: Each holds the active runs alone; which of the two is cheaper depends on how few there are.
ACTIVE = {"runs_tenant_active", "runs_ws_active"}


@pytest.mark.parametrize("scope", ["workspace", "tenant"])
def test_what_is_active_is_found_without_the_history(ledger: Tenant, scope: str) -> None:
    where = {"workspace": ledger.workspace, "tenant": ledger}[scope]
    page = OperationRun.objects.filter(**{scope: where}).active().newest_first()[:51]

    scans = scans_of_queryset(page)

    assert scans
    assert scans <= ACTIVE


def test_what_needs_attention_is_found_by_its_own_index(ledger: Tenant) -> None:
    page = (
        OperationRun.objects.filter(workspace=ledger.workspace).needs_attention().newest_first()
    )[:51]

    assert scans_of_queryset(page) == {"runs_ws_attention"}


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        ({}, {"runs_ws"}),
        ({"type": "backup_schedule.run_now"}, {"runs_ws_type"}),
    ],
)
def test_a_page_of_the_list_walks_its_index(
    ledger: Tenant, narrowed: dict[str, str], index: set[str]
) -> None:
    page = OperationRun.objects.filter(workspace=ledger.workspace, **narrowed).newest_first()[:51]

    assert scans_of_queryset(page) == index


def test_the_relay_finds_what_is_due_by_its_own_index(ledger: Tenant) -> None:
    scans = scans_of(
        relay._TAKE_DUE, {"after": 30, "most": 600, "lost": ["inventory.sync"], "limit": 500}
    )

    assert "runs_relay" in scans
    assert "the whole table" not in scans


def test_the_reconciler_finds_what_is_running_without_the_history(ledger: Tenant) -> None:
    lost = "SELECT id FROM operation_runs WHERE status = 'running' AND heartbeat_at < now()"

    scans = scans_of(lost, [])

    assert scans
    assert scans <= {"runs_running", *ACTIVE}


def look_up(request: RunRequest) -> set[str]:
    return scans_of(dispatch.existing_runs_sql(), [dispatch._as_json({0: request.row()})])


#: Small however long the history is; which of them is cheapest depends on how much is active.
PARTIAL = {
    "runs_one_active_per_tenant_identity",
    "runs_one_active_per_workspace_identity",
    "runs_slot_once",
    "runs_submission_starts_once",
    "runs_tenant_active",
    "runs_ws_active",
}


def test_joining_a_run_never_reads_the_history(ledger: Tenant) -> None:
    scans = look_up(a_request(ledger, 100_001))

    assert scans <= PARTIAL
    assert "runs_slot_once" in scans


def test_one_active_run_is_found_by_identity(ledger: Tenant) -> None:
    request = a_slot_request(ledger, 100_001)
    active = OperationRun.objects.active().filter(tenant=ledger, run_identity_hash=request.identity)

    scans = scans_of_queryset(active)

    assert scans
    assert scans <= PARTIAL


def test_no_index_covers_what_a_heartbeat_writes(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE tablename = 'operation_runs'"
            " AND indexdef ~ '(heartbeat_at|updated_at|summary_counts|failure_summary|worker)'"
        )
        assert cursor.fetchall() == []


def updates_of_runs() -> tuple[int, int]:
    """How many updates the table has seen in this session and before, and how many were HOT."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_all_tables"
            " WHERE relname = 'operation_runs' AND schemaname = current_schema()"
        )
        found: tuple[int, int] = cursor.fetchone()
    return found


@pytest.mark.django_db(transaction=True)
def test_heartbeats_and_counts_touch_no_index(tenant: Tenant) -> None:
    service = OperationRunService()
    run = a_running_run(tenant)
    updates_before, hot_before = updates_of_runs()

    for _ in range(100):
        service.heartbeat(run.pk)
        service.increment_summary_counts(run.pk, processed=1, succeeded=1)

    deadline = time.monotonic() + 5
    while (updates := updates_of_runs())[0] < updates_before + 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert updates[0] - updates_before == 200
    # Now and then a full page makes an update move; with an index in the way none would be HOT.
    assert updates[1] - hot_before >= 180
