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
from operations.overview import read_facts
from tenancy.models import User, Workspace
from tests.support.database import SharedRows
from tests.support.plans import nodes
from tests.support.sessions import open_session
from web import term_search
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


def test_the_version_of_an_overview_reads_few_rows(ledger: dict[str, Any]) -> None:
    """Every open overview asks for it, again and again."""
    with explained() as plans:
        read_facts(Workspace.objects.get(slug="bench-1"))

    assert plans
    for sql, plan in plans:
        for node in nodes(plan):
            assert rows_read(node) <= LIMIT, f"{node}\n{sql}"
