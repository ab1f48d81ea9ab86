"""Prepared queries answer as Django's query of the same shape does."""

import datetime as dt
from typing import Any

import pytest
from django.db import DataError, NotSupportedError, connection, transaction
from django.db.models import Exists, OuterRef
from django.test.utils import CaptureQueriesContext

from operations.models import OperationRun
from tenancy import db
from tenancy.db import run_prepared
from tenancy.models import Membership, Tenant, User, Workspace
from tenancy.prepared import ANY_ID, ANY_TEXT, ANY_USER, PreparedQuery
from tests.support.factories import OperationRunFactory, TenantFactory

pytestmark = pytest.mark.django_db


def test_a_prepared_query_finds_what_the_query_finds(tenant, operator):
    TenantFactory()
    visible = Workspace.objects.visible_to(User(pk=ANY_USER)).annotate(
        has_members=Exists(Membership.objects.filter(workspace=OuterRef("pk"), user=ANY_USER))
    )
    prepared = PreparedQuery(visible.filter(slug=ANY_TEXT), [ANY_USER, ANY_TEXT])

    (row,) = prepared.load(operator.pk, tenant.workspace.slug)

    assert row == tenant.workspace
    assert vars(row)["has_members"] is True
    assert not row.get_deferred_fields()
    assert prepared.load(operator.pk, "elsewhere") == []
    assert prepared.load(0, tenant.workspace.slug) == []


def test_a_prepared_query_loads_related_rows_times_and_json(
    tenant, operator, django_assert_num_queries
):
    run = OperationRunFactory(tenant=tenant, failed=True, context={"backup_schedule_id": 7})
    runs = OperationRun.objects.select_related("workspace", "tenant", "assigned_to", "retry_of")
    prepared = PreparedQuery(runs.filter(pk=ANY_ID), [ANY_ID])
    expected = runs.get(pk=run.pk)

    (row,) = prepared.load(run.pk)

    for field in OperationRun._meta.concrete_fields:
        assert getattr(row, field.attname) == getattr(expected, field.attname), field.name
    with django_assert_num_queries(0):
        assert (row.tenant, row.workspace) == (tenant, tenant.workspace)
        assert (row.assigned_to, row.retry_of) == (None, None)


@pytest.mark.parametrize("number", [2**63, 10**30, -(2**63)])
def test_a_number_that_no_column_can_have_finds_nothing(tenant, number):
    prepared = PreparedQuery(Tenant.objects.filter(pk=ANY_ID), [ANY_ID])

    assert prepared.load(number) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-08 07:00:00.123456+02", dt.datetime(2026, 3, 8, 5, 0, 0, 123456, dt.UTC)),
        ("0001-01-01 00:00:00+00", dt.datetime(1, 1, 1, tzinfo=dt.UTC)),
        ("9999-12-31 23:59:59+00", dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        (None, None),
    ],
)
def test_a_time_is_read_in_utc(text, expected):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [text])
        (read,) = cursor.fetchone()
    ((prepared,),) = run_prepared("SELECT %s::timestamptz", [text])

    assert read == prepared == expected
    assert expected is None or read.tzinfo is prepared.tzinfo is dt.UTC


def prepared_statements() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [statement for (statement,) in cursor.fetchall()]


def test_the_server_keeps_the_plan_of_a_prepared_statement_only(tenant):
    for _ in range(2):
        assert run_prepared("SELECT name, 'kept' FROM tenants WHERE id = %s", [tenant.pk])
        Tenant.objects.get(pk=tenant.pk)

    (statement,) = [each for each in prepared_statements() if "tenants" in each]
    assert "'kept'" in statement


def test_a_prepared_statement_is_run_again_with_other_values(tenant):
    statement = "SELECT %s || name, 12 / %s, %s::timestamptz FROM tenants WHERE id = %s"
    time = dt.datetime(2026, 3, 8, 5, 0, tzinfo=dt.UTC)

    assert run_prepared(statement, ["a ", 3, None, tenant.pk]) == [(f"a {tenant.name}", 4, None)]
    assert run_prepared(statement, ["b ", 2**40, time, tenant.pk]) == [
        (f"b {tenant.name}", 0, time)
    ]
    with pytest.raises(DataError), transaction.atomic():
        run_prepared(statement, ["c ", 0, None, tenant.pk])
    assert run_prepared(statement, ["d ", 2, time, -1]) == []
    assert run_prepared(statement, ["e ", 6, None, tenant.pk]) == [(f"e {tenant.name}", 2, None)]


def kept_cursors() -> dict[str, object]:
    own: Any = connection
    _, cursors = own.prepared_cursors
    return dict(cursors)


def test_a_connection_keeps_the_last_row_of_a_statement_and_no_list():
    numbers = "SELECT n FROM generate_series(1, %s) AS n"
    for statement, last in [("SELECT %s + 1", 1), (numbers, 1), (numbers, 1000)]:
        run_prepared(statement, [last])

    cursors = kept_cursors()
    assert "SELECT %s + 1" in cursors
    assert numbers not in cursors


def test_a_connection_keeps_few_statements(monkeypatch):
    monkeypatch.setattr(db, "MAX_CURSORS", 3)

    for number in range(10):
        assert run_prepared(f"SELECT {number} + %s", [1]) == [(number + 1,)]

    assert len(kept_cursors()) <= 3


def test_the_server_plans_a_query_without_one_plan_for_its_values(tenant):
    named = Tenant.objects.filter(name=ANY_TEXT)
    planned = PreparedQuery(named, [ANY_TEXT], has_one_plan=False)

    with CaptureQueriesContext(connection) as captured:
        assert planned.load(tenant.name) == [tenant]

    assert f"'{tenant.name}'" in captured[0]["sql"]
    assert not [each for each in prepared_statements() if "tenants" in each]


def test_the_log_of_statements_contains_prepared_ones(tenant):
    statement = "SELECT name, 'logged' FROM tenants WHERE id = %s"
    with CaptureQueriesContext(connection) as captured:
        for _ in range(2):
            run_prepared(statement, [tenant.pk])

    assert [each["sql"] for each in captured] == 2 * [statement.replace("%s", "$1")]


def test_behind_a_pooler_no_statement_is_prepared(tenant, settings):
    settings.DATABASE_POOLER = "transaction"
    statement = "SELECT name, 'not kept' FROM tenants WHERE id = %s"

    assert run_prepared(statement, [tenant.pk]) == [(tenant.name, "not kept")]

    assert not [each for each in prepared_statements() if "'not kept'" in each]


@pytest.mark.django_db(transaction=True)
def test_a_migration_that_changes_a_type_ends_no_request():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE changing (value varchar(10))")
    try:
        run_prepared("SELECT value FROM changing WHERE value <> %s", [""])
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE changing ALTER COLUMN value TYPE varchar(20)")
        before = connection.connection

        assert run_prepared("SELECT value FROM changing WHERE value <> %s", [""]) == []
        assert connection.connection is not before

        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE changing ALTER COLUMN value TYPE varchar(30)")
        with pytest.raises(NotSupportedError), transaction.atomic():
            run_prepared("SELECT value FROM changing WHERE value <> %s", [""])
        connection.close_if_unusable_or_obsolete()
        assert run_prepared("SELECT value FROM changing WHERE value <> %s", [""]) == []
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE changing")
