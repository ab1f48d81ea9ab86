"""PostgreSQL chooses the small partial indexes for the frequent statements."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet

from operations import dispatch, healing, progress, services
from operations.delivery import relay
from operations.dispatch import RunRequest
from operations.maintenance import incidents, settling
from operations.models import OperationRun
from operations.services import OperationRunService
from tenancy.models import Tenant
from tests.support.factories import UserFactory
from tests.support.factories.operations import build_request, build_slot_request, create_running_run
from tests.support.plans import nodes

ENDED_ROWS = 6_000

# A typical ledger: nearly all runs have ended, few are active, few are not acknowledged.
FILL = """
INSERT INTO operation_runs (workspace_id, tenant_id, initiator_name, type, status, outcome,
    run_identity_hash, context, created_at, started_at, completed_at, acknowledged_at)
SELECT %(workspace)s, %(tenant)s, 'Schedule', 'backup_schedule.scheduled', 'completed',
    CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END,
    encode(sha256(n::text::bytea), 'hex'),
    jsonb_build_object('backup_schedule_id', n, 'scheduled_for', '2026-03-08T07:00Z'),
    at, at, at, CASE WHEN n %% 50 = 0 AND n > 500 THEN now() END
FROM generate_series(1, %(rows)s) n, LATERAL (SELECT now() - n * interval '1 minute' AS at) moment
"""


@pytest.fixture
def ledger(tenant: Tenant) -> Tenant:
    """A tenant with thousands of ended runs, a few active ones, and current planner statistics."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"workspace": tenant.workspace_id, "tenant": tenant.pk, "rows": ENDED_ROWS}
        )
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(100_000, 100_020)])
    create_running_run(tenant, 200_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE operation_runs")
    return tenant


def plan_of(sql: str, parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, parameters)
        (document,) = cursor.fetchone()
    tree = json.loads(document) if isinstance(document, str) else document
    return list(nodes(tree[0]["Plan"]))


def scans_of(sql: str, parameters: Any) -> set[str]:
    """Return the indexes through which a statement reads the runs, and "the whole table" for a scan."""
    scans = set()
    for node in plan_of(sql, parameters):
        if node.get("Relation Name") == "operation_runs" and node["Node Type"] == "Seq Scan":
            scans.add("the whole table")
        elif name := node.get("Index Name"):
            scans.add(name)
    return scans


def scans_of_queryset(queryset: QuerySet[OperationRun]) -> set[str]:
    return scans_of(*queryset.query.sql_with_params())


#: All contain only active runs; which one is cheapest depends on their number.
ACTIVE = {
    "runs_ws_active",
    "runs_one_active_per_tenant_identity",
    "runs_one_active_per_workspace_identity",
}


@pytest.mark.parametrize("scope", ["workspace", "tenant"])
def test_the_query_for_active_runs_reads_no_ended_runs(ledger: Tenant, scope: str) -> None:
    scope_row = {"workspace": ledger.workspace, "tenant": ledger}[scope]
    page = OperationRun.objects.filter(**{scope: scope_row}).active().newest_first()[:51]

    scans = scans_of_queryset(page)

    assert scans
    assert scans <= ACTIVE


@pytest.mark.parametrize(
    ("scope", "index"), [("workspace", "runs_ws_attention"), ("tenant", "runs_tenant_attention")]
)
def test_the_query_for_attention_uses_its_index(ledger: Tenant, scope: str, index: str) -> None:
    scope_row = {"workspace": ledger.workspace, "tenant": ledger}[scope]
    runs = OperationRun.objects.filter(**{scope: scope_row})

    assert scans_of_queryset(runs.needs_attention().newest_first()[:51]) == {index}


def test_a_page_of_a_cause_uses_its_index(ledger: Tenant) -> None:
    runs = OperationRun.objects.filter(workspace=ledger.workspace, cause="missed")

    assert scans_of_queryset(runs.newest_first()[:51]) == {"runs_ws_cause"}


def test_the_problems_of_an_identity_are_found_by_their_index(ledger: Tenant) -> None:
    run = OperationRun.objects.filter(status="running").get()

    for statement, value in ((healing._RECOVER, run.pk), (healing._SUPERSEDE, [run.pk])):
        scans = scans_of(statement, [value])
        assert "runs_unrecovered" in scans
        assert "the whole table" not in scans


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, {"runs_ws"}),
        ({"type": "inventory.sync"}, {"runs_ws_type"}),
    ],
)
def test_a_page_of_the_list_uses_its_index(
    ledger: Tenant, filters: dict[str, str], index: set[str]
) -> None:
    page = OperationRun.objects.filter(workspace=ledger.workspace, **filters).newest_first()[:51]

    assert scans_of_queryset(page) == index


def test_the_relay_uses_its_index(ledger: Tenant) -> None:
    limits = {"after": 30, "most": 600, "limit": 500}
    scans = scans_of(relay._RESCHEDULE_DUE, {"types": ["inventory.sync"], "lost": True, **limits})
    scans |= scans_of(relay._COUNT_WAITING, [])

    assert "runs_relay" in scans
    assert "the whole table" not in scans


def test_the_reconciler_reads_no_ended_runs(ledger: Tenant) -> None:
    lost = "SELECT id FROM operation_runs WHERE status = 'running' AND heartbeat_at < now()"

    scans = scans_of(lost, [])

    assert scans
    assert scans <= {"runs_running", *ACTIVE}


@pytest.mark.parametrize(
    ("statement", "index"),
    [(settling._JUST_BLOCKED, "runs_blocked"), (incidents._OPEN, "runs_without_incident")],
    ids=["settling", "incidents"],
)
def test_a_tick_reads_only_recent_problems(ledger: Tenant, statement: str, index: str) -> None:
    """Problems that are never resolved stay for years: an index must find the recent ones."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")

    plan = plan_of(statement, {"days": 7, "tenants": 3, "runs": 10})

    conditions = [node.get("Index Cond", "") for node in plan if node.get("Index Name") == index]
    assert conditions
    assert all("created_at >" in condition for condition in conditions)


def rows_read_by_scans() -> int:
    """Return the number of runs that this transaction has read by scanning the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'operation_runs'"
            " AND schemaname = current_schema()"
        )
        (count,) = cursor.fetchone()
    return int(count)


def test_retention_checks_runs_without_scanning_the_table(ledger: Tenant) -> None:
    """The plan must not depend on the age of the runs: a scan ends at the first newer one."""
    newest = OperationRun.objects.filter(outcome="succeeded").order_by("-created_at", "-id")
    old_runs = [run.pk for run in newest[2_000:2_050]]
    before = rows_read_by_scans()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operation_runs_removable(%s)", [old_runs])
        (removable,) = cursor.fetchone()

    assert removable == len(old_runs)
    assert rows_read_by_scans() == before


def test_deleting_an_account_scans_no_runs(ledger: Tenant) -> None:
    """Each reference to the account is looked up, also by the foreign keys themselves."""
    account = UserFactory()
    before = rows_read_by_scans()

    account.delete()

    assert rows_read_by_scans() == before


def existing_run_scans(request: RunRequest) -> set[str]:
    return scans_of(
        dispatch.ensure_sql(), dispatch.ensure_params({0: request.row()}, record_joined=True)
    )


#: Small however many runs have ended; which one is cheapest depends on the number of active runs.
PARTIAL = {
    "runs_one_active_per_tenant_identity",
    "runs_one_active_per_workspace_identity",
    "runs_slot_once",
    "runs_submission_starts_once",
    "runs_ws_active",
}


def test_joining_a_run_reads_no_ended_runs(ledger: Tenant) -> None:
    scans = existing_run_scans(build_request(ledger, 100_001))

    # The primary key reads the runs that were found, and the other index the ends of their timelines.
    assert scans <= PARTIAL | {"operation_runs_pkey", "run_events_sequence"}
    assert "runs_slot_once" in scans


def test_the_active_run_of_an_identity_is_found_by_an_index(ledger: Tenant) -> None:
    request = build_slot_request(ledger, 100_001)
    active = OperationRun.objects.active().filter(tenant=ledger, run_identity_hash=request.identity)

    scans = scans_of_queryset(active)

    assert scans
    assert scans <= PARTIAL


def test_no_index_contains_the_columns_that_a_heartbeat_writes(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'operation_runs'"
            " AND indexdef ~ '(heartbeat_at|updated_at|summary_counts|failure_summary|worker)'"
        )
        # A heartbeat writes failures only when there are new ones; their references are searched.
        assert cursor.fetchall() == [("runs_reference",)]


def updates_of_runs() -> tuple[int, int]:
    """Return the number of updates of the table so far and the number of HOT ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_all_tables"
            " WHERE relname = 'operation_runs' AND schemaname = current_schema()"
        )
        counters: tuple[int, int] = cursor.fetchone()
    return counters


@pytest.mark.django_db(transaction=True)
def test_heartbeats_and_counts_update_no_index(tenant: Tenant) -> None:
    service = OperationRunService()
    run = create_running_run(tenant)
    updates_before, hot_before = updates_of_runs()

    for _ in range(100):
        service.heartbeat(run.pk)
        service.increment_summary_counts(run.pk, processed=1, succeeded=1)

    deadline = time.monotonic() + 60
    while (updates := updates_of_runs())[0] < updates_before + 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    # A session that has just ended may still report those of an earlier test.
    assert updates[0] - updates_before >= 200
    # A full page moves an update, which an older snapshot elsewhere makes more frequent. With an
    # index on these columns none would be HOT.
    assert updates[1] - hot_before >= 100


@pytest.fixture
def grown_ledger(tenant: Tenant) -> Tenant:
    """A tenant with hundreds of queued runs, none of which the planner knows."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL, {"workspace": tenant.workspace_id, "tenant": tenant.pk, "rows": ENDED_ROWS}
        )
        cursor.execute("ANALYZE operation_runs")
    OperationRunService().ensure_runs([build_request(tenant, at) for at in range(500)])
    return tenant


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (services._CLAIM, {"run_id": 1, "worker": "w"}),
        (services._REQUEST_CANCEL, [1, 1]),
        (services._RUNNING, [1]),
        (
            services._COMPLETE,
            {"run_id": 1, "version": "1", "outcome": "failed", "cause": "", "failures": "[]"},
        ),
        (progress._WRITE_PROGRESS.format(new_counts=""), [1]),
    ],
    ids=["claim", "cancel", "running", "complete", "progress"],
)
def test_the_statements_of_one_run_find_it_by_its_key(
    grown_ledger: Tenant, statement: str, parameters: Any
) -> None:
    """An index of active runs seems as cheap while few runs are active, and is read whole later."""
    scans = scans_of(statement, parameters)

    assert scans - {"runs_unrecovered"} == {"operation_runs_pkey"}
