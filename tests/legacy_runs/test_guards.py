"""Only the import adds legacy runs; the database rejects every other write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Model

from legacy_runs.models import TABLES, LegacyRunsAreReadOnly
from tenancy.models import Tenant
from tests.support.factories import OperationRunFactory, TenantFactory
from tests.support.factories.legacy_runs import create_canonical_run, create_legacy_run, prune_run

pytestmark = pytest.mark.django_db

EVERY_KIND = pytest.mark.parametrize("kind", TABLES)
REJECTED = "legacy runs are read-only"


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def stored_values(row: Any) -> dict[str, Any]:
    """Return the columns of a row as stored in the database."""
    values: dict[str, Any] = type(row).objects.filter(pk=row.pk).values().get()
    return values


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
def test_sql_writes_are_rejected(kind: str, statement: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    before = stored_values(row)
    sql("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(DatabaseError, match=REJECTED):
        sql(statement.format(table=row._meta.db_table))

    assert stored_values(row) == before


@EVERY_KIND
def test_copy_is_rejected(kind: str, tenant: Tenant) -> None:
    table = TABLES[kind]._meta.db_table

    with (
        pytest.raises(psycopg.Error, match=REJECTED),
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
def test_the_model_rejects_writes_with_an_explanation(
    kind: str, write: Callable[[Any, Any], Any], tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)

    with pytest.raises(LegacyRunsAreReadOnly, match="import_legacy_runs"):
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
def test_the_database_rejects_writes_that_bypass_the_model(
    kind: str, write: Callable[[Any], Any], tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)
    before = stored_values(row)

    with pytest.raises(DatabaseError), transaction.atomic():
        write(row)

    assert stored_values(row) == before


@EVERY_KIND
def test_loading_a_fixture_is_rejected(kind: str, tenant: Tenant, tmp_path: Any) -> None:
    row = create_legacy_run(tenant, kind)
    model = type(row)
    fields = {
        field.name: value
        for field in model._meta.concrete_fields
        if not field.primary_key and (value := field.value_from_object(row)) is not None
    }
    path = tmp_path / "legacy_runs.json"
    path.write_text(
        json.dumps([{"model": model._meta.label, "pk": row.pk + 1, "fields": fields}], default=str)
    )

    with pytest.raises(DatabaseError, match=REJECTED), transaction.atomic():
        call_command("loaddata", str(path), verbosity=0)

    assert not model._base_manager.filter(pk=row.pk + 1).exists()


@EVERY_KIND
def test_a_row_stays_mapped_while_its_run_exists(kind: str, tenant: Tenant) -> None:
    """A write from a trigger passes the first guard; the second one rejects it."""
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)
    sql("CREATE TABLE poke (id int)")
    sql(
        "CREATE FUNCTION poke() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"UPDATE {row._meta.db_table} SET operation_run_id = NULL; RETURN NEW; END $$"
    )
    sql("CREATE TRIGGER poke AFTER INSERT ON poke FOR EACH ROW EXECUTE FUNCTION poke()")

    with pytest.raises(DatabaseError, match=REJECTED):
        sql("INSERT INTO poke VALUES (1)")

    assert stored_values(row)["operation_run_id"] == run.pk


@EVERY_KIND
def test_pruning_a_run_keeps_its_row_and_its_number(kind: str, tenant: Tenant) -> None:
    run = create_canonical_run(tenant, kind)
    row = create_legacy_run(tenant, kind, run)
    before = stored_values(row)

    prune_run(run)

    assert stored_values(row) == before | {"operation_run_id": None}
    assert before["was_operation_run_id"] == run.pk


def copy_row(row: Any, **columns: Any) -> None:
    """Copy a row as the import does, with other values in some columns."""
    names = [field.column for field in row._meta.concrete_fields]
    changed = [name for name in names if name in columns]
    with transaction.atomic():
        sql("SELECT set_config('runledger.legacy_import', 'on', true)")
        sql(
            f"INSERT INTO {row._meta.db_table} ({', '.join(names)})"
            f" SELECT {', '.join('%s' if name in columns else name for name in names)}"
            f" FROM {row._meta.db_table}",
            *(columns[name] for name in changed),
        )
        sql("SET CONSTRAINTS ALL IMMEDIATE")


@EVERY_KIND
@pytest.mark.parametrize("owner", ["another tenant", "another workspace", "no one"])
def test_a_row_cannot_be_mapped_to_a_run_of_another_tenant(
    kind: str, owner: str, tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)
    neighbor = TenantFactory(workspace=tenant.workspace)
    runs = {
        "another tenant": lambda: OperationRunFactory(tenant=neighbor).pk,
        "another workspace": lambda: OperationRunFactory().pk,
        "no one": lambda: 2**62,
    }
    run_id = runs[owner]()

    with pytest.raises(DatabaseError, match="belongs to another tenant"):
        copy_row(row, id=row.pk + 1, operation_run_id=run_id)


@EVERY_KIND
def test_a_row_cannot_be_mapped_to_a_run_of_another_type(kind: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    run = OperationRunFactory(tenant=tenant, type="restore.execute", succeeded=True)

    with pytest.raises(DatabaseError, match="a different type"):
        copy_row(row, id=row.pk + 1, operation_run_id=run.pk)


@EVERY_KIND
@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ({"id": 2**61}, "id_range"),
        ({"id": -1}, "id_range"),
        ({"created_at": "1969-12-31T23:59:59Z"}, "created_at_range"),
        ({"created_at": "2200-01-01T00:00:00Z"}, "created_at_range"),
        ({"created_at": "infinity"}, "created_at_range"),
    ],
)
def test_values_outside_the_range_of_the_lists_are_rejected(
    kind: str, columns: dict[str, Any], constraint: str, tenant: Tenant
) -> None:
    row = create_legacy_run(tenant, kind)

    with pytest.raises(IntegrityError, match=constraint):
        copy_row(row, **{"id": row.pk + 1} | columns)


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
def test_a_row_cannot_have_a_tenant_of_another_workspace(kind: str, tenant: Tenant) -> None:
    row = create_legacy_run(tenant, kind)
    elsewhere = TenantFactory().workspace_id

    with pytest.raises(IntegrityError, match="tenant_of_workspace"):
        copy_row(row, id=row.pk + 1, workspace_id=elsewhere)
