"""Legacy runs in Django admin can be searched without reading the whole table."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from legacy_runs.models import TABLES
from tenancy.models import Tenant
from tests.support.factories import UserFactory
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", TABLES)


@pytest.fixture
def staff(client: Client) -> Client:
    open_session(client, UserFactory(is_staff=True, is_superuser=True))
    return client


def list_of(kind: str) -> str:
    return reverse(f"admin:legacy_runs_{TABLES[kind]._meta.model_name}_changelist")


def listed_ids(staff: Client, kind: str, **query: Any) -> list[int]:
    answer = staff.get(list_of(kind), query)
    assert answer.status_code == 200, answer
    return [row.pk for row in answer.context["cl"].result_list]


@EVERY_KIND
def test_the_list_is_sorted_by_key_and_its_filters_query_no_table(
    kind: str, tenant: Tenant, staff: Client
) -> None:
    rows = [
        create_legacy_run(tenant, kind, created_at=f"2024-03-0{9 - day}T07:00:00Z")
        for day in (1, 2, 3)
    ]

    with CaptureQueriesContext(connection) as queries:
        assert listed_ids(staff, kind) == [row.pk for row in reversed(rows)]

    statements = [query["sql"] for query in queries if TABLES[kind]._meta.db_table in query["sql"]]
    assert statements
    assert not [statement for statement in statements if "DISTINCT" in statement]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        pages = [each for each in statements if "ORDER BY" in each and "COUNT(" not in each]
        (page,) = pages
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"Index Scan Backward using {TABLES[kind]._meta.db_table}_pkey" in plan, plan
    assert "Sort" not in plan


@EVERY_KIND
def test_a_row_is_found_by_its_number_its_run_and_its_tenant(
    kind: str, tenant: Tenant, staff: Client
) -> None:
    run = create_canonical_run(tenant, kind)
    mapped, other = (
        create_legacy_run(tenant, kind, run, id=10**9),
        create_legacy_run(tenant, kind, id=10**9 + 1),
    )

    assert listed_ids(staff, kind, q=str(other.pk)) == [other.pk]
    assert listed_ids(staff, kind, q=f"#{run.pk}") == [mapped.pk]
    assert listed_ids(staff, kind, q="fabrikam") == [other.pk, mapped.pk]
    assert listed_ids(staff, kind, q="9" * 40) == []


@EVERY_KIND
def test_rows_are_filtered_by_the_statuses_of_the_older_system(
    kind: str, tenant: Tenant, staff: Client
) -> None:
    create_legacy_run(tenant, kind, status="failed")
    partial = create_legacy_run(tenant, kind, status="partial")

    assert listed_ids(staff, kind, status="partial") == [partial.pk]
    assert listed_ids(staff, kind, status="nonsense") == []
