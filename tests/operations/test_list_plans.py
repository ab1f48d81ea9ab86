"""The lists of runs read a bounded number of rows through indexes, whatever their filters are.

The pages are requested with a ledger of 100,000 runs, and PostgreSQL explains each of their
statements: it scans no table of that length, and it reads and sorts at most 20 rows for each row
that a page can show. Counts, sorts without an index and texts have limits of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from dev.bench import reads
from dev.bench.generator import generate
from operations.models import OperationRun
from operations.overview import read_facts
from tenancy.models import User, Workspace
from tenancy.querysets import OrderedCount
from tests.support.database import SharedRows
from tests.support.plans import nodes
from tests.support.sessions import open_session
from web import statement_timeout, term_search
from web.keyset import COUNT_CAP, PAGE_SIZE

pytestmark = pytest.mark.django_db

RUNS = 100_000
LIMIT = 20 * (PAGE_SIZE + 1)
#: A count reads as many matching rows as it can show, and a few others.
COUNT_LIMIT = COUNT_CAP * 5 // 4
LONG_TABLES = {
    "operation_runs", "operation_incidents", "backup_sets", "policy_changes", "audit_entries",
}  # fmt: skip
#: A text is compared with the names of the tenants and of what started runs in the workspaces.
TEXT_LIMIT = 8_000
#: Pages that read more, and why.
OTHER_LIMITS = {
    "runs: mine": 2 * COUNT_LIMIT,  # The index has the user's runs of all workspaces.
    # Most entries are of this workspace: the index of all workspaces does as well.
    "audit log": 2 * COUNT_LIMIT,
    "audit log, kind": 2 * COUNT_LIMIT,
    "audit log, tenant": 2 * COUNT_LIMIT,
    "audit log, rare kind": 2 * COUNT_LIMIT,
    "audit log, rare action": 2 * COUNT_LIMIT,
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no statement be stopped: its plan is the same on a machine that is too busy for it."""
    unlimited = "SELECT set_config('statement_timeout', '0', true)"
    monkeypatch.setattr(statement_timeout, "_limit", lambda _: unlimited)


@pytest.fixture(scope="module")
def ledger(shared_rows: SharedRows) -> dict[str, Any]:
    """A long ledger, and the values that the addresses of the pages need."""
    with shared_rows():
        generate(RUNS)
        return reads.load_values()


@pytest.fixture
def client_of_member(client: Client, ledger: dict[str, Any]) -> Client:
    open_session(client, User.objects.get(username="bench-user-1"))
    return client


@contextmanager
def explained() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Explain each SELECT that is sent inside, with the numbers of rows that it read."""
    plans: list[tuple[str, dict[str, Any]]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.lstrip().startswith(("SELECT", "WITH")) and any(map(sql.__contains__, LONG_TABLES)):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {sql}", params)
                (plan,) = cursor.fetchone()
            plans.append((sql, (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        return result

    with connection.execute_wrapper(explain):
        yield plans


def rows_read(node: dict[str, Any]) -> float:
    """The rows that a node reads from a long table, or sorts."""
    if "Relation Name" in node:
        if node["Relation Name"] not in LONG_TABLES:
            return 0.0
        removed = node.get("Rows Removed by Filter", 0)
        removed += node.get("Rows Removed by Index Recheck", 0)
        return float((node["Actual Rows"] + removed) * node["Actual Loops"])
    if "Sort" in node["Node Type"]:
        (source,) = (each for each in node["Plans"] if each["Parent Relationship"] == "Outer")
        return float(source["Actual Rows"] * source["Actual Loops"])
    return 0.0


def compares_ids(node: dict[str, Any]) -> bool:
    """Whether a node compares a list of ids with the entries of an index that begins otherwise."""
    is_by_id = node.get("Index Name") == "operation_runs_pkey"
    is_of_runs = node.get("Relation Name") == "operation_runs"
    return is_of_runs and not is_by_id and "(id = ANY" in node.get("Index Cond", "")


def limit_of(page: str, sql: str) -> int:
    is_count = "COUNT(" in sql or "SELECT page.id" in sql
    # Without an index for the order, the newest `SORTED_RUNS` are sorted.
    usual = COUNT_LIMIT if is_count or page.startswith("runs by") else LIMIT
    return OTHER_LIMITS.get(page, TEXT_LIMIT if "text" in page else usual)


#: The lists of runs, in a workspace, in all of them, and in the administration, those of
#: changes, and the audit log. The others grow with the tenants and with what was backed up, not with the runs.
LISTS = [
    name
    for name in reads.addresses()
    if name.startswith(("runs", "all runs", "admin", "one run", "changes", "audit"))
]


@pytest.mark.parametrize("page", LISTS)
def test_a_page_reads_few_rows_through_indexes(
    client_of_member: Client, ledger: dict[str, Any], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "audit" in page:
        # The log of this ledger is short: fewer entries are compared before the index of terms.
        monkeypatch.setattr(term_search, "COMPARED", 8)
    with explained() as plans:
        response = client_of_member.get(reads.address_of(reads.addresses()[page], ledger))

    assert response.status_code == 200
    assert plans
    for sql, plan in plans:
        for node in nodes(plan):
            is_scan = node["Node Type"] == "Seq Scan" and node["Relation Name"] in LONG_TABLES
            assert not is_scan, f"{page} scans {node['Relation Name']}: {sql}"
            assert rows_read(node) <= limit_of(page, sql), f"{page}: {node}\n{sql}"
            assert not compares_ids(node), f"{page}: {node}\n{sql}"


@pytest.mark.parametrize("page", ["runs: text of one tenant", "runs: text of many tenants"])
def test_a_search_reads_the_runs_of_a_tenant_in_order(
    client_of_member: Client, ledger: dict[str, Any], page: str
) -> None:
    """Or else it would read all of them, and the largest tenants have many times the average."""
    with explained() as plans:
        client_of_member.get(reads.address_of(reads.addresses()[page], ledger))

    of_tenants = [plan for sql, plan in plans if "branch(tenant_id)" in sql]
    assert of_tenants
    for plan in of_tenants:
        assert [node for node in nodes(plan) if node["Node Type"].startswith("Bitmap")] == []


def test_the_newest_runs_are_compared_with_a_text_of_many_tenants(
    client_of_member: Client, ledger: dict[str, Any]
) -> None:
    """Or else each of the tenants would be looked up."""
    with explained() as plans:
        client_of_member.get(
            reads.address_of(reads.addresses()["runs: text of all tenants"], ledger)
        )

    statements = [sql for sql, _ in plans if "branch(tenant_id)" in sql]
    # Only the count reads the tenants one after another, and stops.
    assert ["page(at, id)" in sql for sql in statements] == [False]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("view=mine&outcome=failed", "runs_user_outcome"),
        ("cause=throttled&tenant={tenant}", "runs_tenant_cause"),
    ],
)
def test_two_filters_with_an_index_of_both_are_read_from_it(
    client_of_member: Client, ledger: dict[str, Any], query: str, index: str
) -> None:
    """Or else all runs with one of the values would be compared with the other one."""
    with explained() as plans:
        client_of_member.get(f"/w/bench-1/runs/?{query.format(**ledger)}")

    names = {
        node["Index Name"] for _, plan in plans for node in nodes(plan) if "Index Name" in node
    }
    assert {name for name in names if name.startswith("runs_")} == {index}


def test_a_search_lists_who_started_runs_once(
    client_of_member: Client, ledger: dict[str, Any]
) -> None:
    """And the types of their runs only where the name has the text: people start many types."""
    with explained() as plans:
        client_of_member.get(reads.address_of(reads.addresses()["runs: text of nothing"], ledger))

    (plan,) = (plan for sql, plan in plans if "WITH RECURSIVE" in sql and "initiator_name" in sql)
    runs = OperationRun.objects.filter(workspace__slug="bench-1")
    assert plan["Actual Rows"] == runs.values("initiator_name").distinct().count()


def test_a_list_without_an_index_for_its_order_reads_each_run_once(
    client_of_member: Client, ledger: dict[str, Any]
) -> None:
    """Looking the newest runs up by their numbers would read four times as many blocks."""
    with explained() as plans:
        client_of_member.get(reads.address_of(reads.addresses()["runs by -ended: tenant"], ledger))

    by_number = [
        node["Actual Rows"] * node["Actual Loops"]
        for _, plan in plans
        for node in nodes(plan)
        if node.get("Index Name") == "operation_runs_pkey"
    ]
    assert sum(by_number) <= PAGE_SIZE + 1


def test_the_runs_of_a_tenant_that_need_attention_are_counted_by_their_index(
    ledger: dict[str, Any],
) -> None:
    """Or else all runs of the tenant would be read from another index."""
    runs = OperationRun.objects.filter(workspace__slug="bench-1", tenant=ledger["tenant"])
    count = OrderedCount(runs.needs_attention().newest_first(), limit=COUNT_CAP + 1)

    with explained() as plans:
        list(Workspace.objects.annotate(count=count).values_list("count")[:1])

    ((_, plan),) = plans
    names = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert "runs_tenant_attention" in names
    assert "runs_tenant" not in names


def test_the_version_of_an_overview_reads_few_rows(ledger: dict[str, Any]) -> None:
    """Every open overview asks for it, again and again."""
    with explained() as plans:
        read_facts(Workspace.objects.get(slug="bench-1"))

    assert plans
    for sql, plan in plans:
        for node in nodes(plan):
            assert rows_read(node) <= LIMIT, f"{node}\n{sql}"
