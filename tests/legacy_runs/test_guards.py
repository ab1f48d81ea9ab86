"""Only the importer adds legacy runs; the database rejects every other write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Model

from legacy_runs.models import TABLES, HistoryIsReadOnly
from legacy_runs.write_access import allow_import
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run, prune_run

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", TABLES)
REFUSED = "legacy runs are read-only"


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def as_it_is(row: Any) -> dict[str, Any]:
    """Every column of a row as the database has it."""
    found: dict[str, Any] = type(row).objects.filter(pk=row.pk).values().get()
    return found


@EVERY_KIND
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET status = 'success'",
        "UPDATE {table} SET status = 'success' WHERE false",
        "UPDATE {table} SET operation_run_id = NULL",
        "DELETE FROM {table}",
        "DELETE FROM {table} WHERE false",
        "TRUNCATE {table}",
        "INSERT INTO {table} SELECT * FROM {table}",
        "INSERT INTO {table} SELECT * FROM {table} WHERE false",
        "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET status = 'x'",
        "MERGE INTO {table} a USING {table} b ON a.id = b.id WHEN MATCHED THEN DELETE",
    ],
)
def test_plain_sql_is_refused(kind: str, statement: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    before = as_it_is(row)
    sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(DatabaseError, match=REFUSED):
        sql(statement.format(table=row._meta.db_table))

    assert as_it_is(row) == before


@EVERY_KIND
def test_copying_in_is_refused(kind: str, tenant: Tenant) -> None:
    table = TABLES[kind]._meta.db_table

    with (
        pytest.raises(psycopg.Error, match=REFUSED),
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} (id) FROM STDIN") as copy,
    ):
        copy.write("1\n")


@EVERY_KIND
@pytest.mark.parametrize(
    "write",
    [
        lambda row, rows: row.save(),
        lambda row, rows: row.delete(),
        lambda row, rows: rows.create(pk=1),
        lambda row, rows: rows.bulk_create([row]),
        lambda row, rows: rows.bulk_update([row], ["status"]),
        lambda row, rows: rows.update(status="success"),
        lambda row, rows: rows.filter(pk=row.pk).update(status="success"),
        lambda row, rows: rows.filter(pk=row.pk).delete(),
        lambda row, rows: rows.all().delete(),
        lambda row, rows: rows.get_or_create(pk=1),
        lambda row, rows: rows.update_or_create(pk=1),
    ],
)
def test_the_orm_refuses_in_words(
    kind: str, write: Callable[[Any, Any], Any], tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)

    with pytest.raises(HistoryIsReadOnly, match="import_legacy_runs"):
        write(row, type(row).objects)


@EVERY_KIND
@pytest.mark.parametrize(
    "write",
    [
        Model.save,
        lambda row: Model.save_base(row, raw=True),
        lambda row: type(row)._base_manager.filter(pk=row.pk).update(status="success"),
        lambda row: type(row)._base_manager.filter(pk=row.pk).delete(),
        lambda row: type(row)._base_manager.bulk_create([type(row)(pk=1)]),
        lambda row: type(row)._base_manager.bulk_update([row], ["status"]),
    ],
)
def test_the_database_refuses_what_goes_round_the_model(
    kind: str, write: Callable[[Any], Any], tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)
    before = as_it_is(row)

    with pytest.raises(DatabaseError), transaction.atomic():
        write(row)

    assert as_it_is(row) == before


@EVERY_KIND
def test_a_fixture_is_refused(kind: str, tenant: Tenant, tmp_path: Any) -> None:
    row = create_legacy_run(tenant, kind)
    model = type(row)
    fields = {
        field.name: value
        for field in model._meta.concrete_fields
        if not field.primary_key and (value := field.value_from_object(row)) is not None
    }
    path = tmp_path / "history.json"
    path.write_text(
        json.dumps([{"model": model._meta.label, "pk": row.pk + 1, "fields": fields}], default=str)
    )

    with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
        call_command("loaddata", str(path), verbosity=0)

    assert not model._base_manager.filter(pk=row.pk + 1).exists()


@EVERY_KIND
def test_a_row_whose_run_is_still_there_stays_mapped(kind: str, tenant: Tenant) -> None:
    """Even a trigger that writes, which the first guard lets through, may not unmap a row."""
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)
    sql("CREATE TABLE poke (id int)")
    sql(
        "CREATE FUNCTION poke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"UPDATE {row._meta.db_table} SET operation_run_id = NULL; RETURN NEW; END $$"
    )
    sql("CREATE TRIGGER poke AFTER INSERT ON poke FOR EACH ROW EXECUTE FUNCTION poke()")

    with pytest.raises(DatabaseError, match=REFUSED):
        sql("INSERT INTO poke VALUES (1)")

    assert as_it_is(row)["operation_run_id"] == run.pk


@EVERY_KIND
def test_a_run_that_is_pruned_leaves_the_row_and_its_number(kind: str, tenant: Tenant) -> None:
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)
    before = as_it_is(row)

    prune_run(run)

    assert as_it_is(row) == before | {"operation_run_id": None}
    assert before["was_operation_run_id"] == run.pk


def copied(row: Any, **columns: Any) -> None:
    """Copy a row as the importer does, with other values in some columns."""
    names = [field.column for field in row._meta.concrete_fields]
    given = [name for name in names if name in columns]
    with transaction.atomic():
        sql("SELECT set_config('runledger.legacy_import', 'on', true)")
        sql(
            f"INSERT INTO {row._meta.db_table} ({', '.join(names)})"
            f" SELECT {', '.join('%s' if name in columns else name for name in names)}"
            f" FROM {row._meta.db_table}",
            *(columns[name] for name in given),
        )
        sql("SET CONSTRAINTS ALL IMMEDIATE")


@EVERY_KIND
@pytest.mark.parametrize("whose", ["another tenant", "another workspace", "nobody"])
def test_no_row_is_mapped_to_a_run_of_somebody_else(kind: str, whose: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    neighbor = TenantFactory(workspace=tenant.workspace)
    runs = {
        "another tenant": lambda: OperationRunFactory(tenant=neighbor).pk,
        "another workspace": lambda: OperationRunFactory().pk,
        "nobody": lambda: 2**62,
    }
    run_id = runs[whose]()

    with pytest.raises(DatabaseError, match="belongs to another tenant"):
        copied(row, id=row.pk + 1, operation_run_id=run_id)


@EVERY_KIND
def test_no_row_is_mapped_to_a_run_that_did_something_else(kind: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    run = OperationRunFactory(tenant=tenant, type="restore.execute", succeeded=True)

    with pytest.raises(DatabaseError, match="a different type"):
        copied(row, id=row.pk + 1, operation_run_id=run.pk)


@EVERY_KIND
@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"id": 2**61}, "id_range"),
        ({"id": -1}, "id_range"),
        ({"created_at": "1969-12-31T23:59:59Z"}, "created_at_range"),
        ({"created_at": "2200-01-01T00:00:00Z"}, "created_at_range"),
        ({"created_at": "infinity"}, "created_at_range"),
    ],
)
def test_no_row_is_one_that_the_lists_cannot_show(
    kind: str, columns: dict[str, Any], named: str, tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)

    with pytest.raises(IntegrityError, match=named):
        copied(row, **{"id": row.pk + 1} | columns)


@EVERY_KIND
@pytest.mark.parametrize("setting", ["runledger.pruning", "runledger.legacy_import"])
def test_no_setting_allows_truncate(kind: str, setting: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    sql("SELECT set_config(%s, 'on', true)", setting)

    for statement in (f"TRUNCATE {row._meta.db_table}", "TRUNCATE operation_runs CASCADE"):
        with pytest.raises(DatabaseError, match=r"TRUNCATE on \w+ is not allowed"):
            sql(statement)


@EVERY_KIND
def test_no_row_is_of_a_tenant_of_another_workspace(kind: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    elsewhere = TenantFactory().workspace_id

    with pytest.raises(IntegrityError, match="tenant_of_workspace"):
        copied(row, id=row.pk + 1, workspace_id=elsewhere)


# --- allow_import ---------------------------------------------------------------------------------

INSERT = "INSERT INTO inventory_sync_runs SELECT * FROM inventory_sync_runs WHERE false"


@pytest.mark.django_db(transaction=True)
def test_permission_to_import_ends_with_its_transaction() -> None:
    with allow_import():
        sql(INSERT)

    with pytest.raises(DatabaseError, match=REFUSED):
        sql(INSERT)


@pytest.mark.django_db(transaction=True)
def test_permission_to_import_ends_when_its_transaction_fails() -> None:
    with pytest.raises(ZeroDivisionError), allow_import():
        raise ZeroDivisionError

    with pytest.raises(DatabaseError, match=REFUSED):
        sql(INSERT)


@pytest.mark.django_db(transaction=True)
def test_permission_to_import_allows_no_update_or_delete() -> None:
    for statement in ("UPDATE {} SET status = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
        for model in TABLES.values():
            with pytest.raises(DatabaseError, match=REFUSED), allow_import():
                sql(statement.format(model._meta.db_table))


@pytest.mark.django_db(transaction=True)
def test_import_is_not_allowed_inside_an_outer_transaction() -> None:
    """A savepoint would leave it open for the rest of the transaction around it."""
    with transaction.atomic():
        with pytest.raises(RuntimeError, match="durable"), allow_import():
            pass
        with pytest.raises(DatabaseError, match=REFUSED):
            sql(INSERT)
