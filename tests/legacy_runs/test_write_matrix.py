"""Every way to write x three tables x two roles: none gets through."""

from __future__ import annotations

import io
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from legacy_runs.models import TABLES
from tenancy.models import Tenant
from tests.support.factories.legacy_runs import (
    create_canonical_run,
    create_legacy_run,
    source_row,
)

pytestmark = pytest.mark.django_db(transaction=True)

#: A trigger function that runs a statement, in the schema for temporary objects.
POKE = (
    "CREATE TEMP TABLE poke (id int);"
    "CREATE FUNCTION pg_temp.poke() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN {statement}; RETURN NEW; END $$;"
    "CREATE TRIGGER poke AFTER INSERT ON poke FOR EACH ROW EXECUTE FUNCTION pg_temp.poke();"
    "INSERT INTO poke VALUES (1)"
)
UNLINK = "UPDATE public.{table} SET operation_run_id = NULL, status = 'x'"
COPY = (
    "INSERT INTO {table} SELECT (jsonb_populate_record(row,"
    " jsonb_build_object('id', 100000 + (1e9 * random())::int))).* FROM {table} row"
)
SHADOW_GUARD = (
    "CREATE FUNCTION pg_temp.{function}() RETURNS boolean LANGUAGE sql AS 'SELECT true';"
    "SET search_path = pg_temp, public;"
)
#: SQL by what it tries. `{table}` is the table, `{owner}` the owner of it.
ATTEMPTS = {
    "insert": COPY,
    "insert without rows": "INSERT INTO {table} SELECT * FROM {table} WHERE false",
    "insert on conflict": (
        "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET status = 'x'"
    ),
    "insert returning": COPY + " RETURNING id",
    "insert default values": "INSERT INTO {table} DEFAULT VALUES",
    "insert overriding": "INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {table}",
    "update": "UPDATE {table} SET status = 'x'",
    "update without rows": "UPDATE {table} SET status = 'x' WHERE false",
    "update from": "UPDATE {table} SET status = 'x' FROM tenants",
    "unlink": "UPDATE {table} SET operation_run_id = NULL",
    "update only": "UPDATE ONLY {table} SET id = id + 1",
    "delete": "DELETE FROM {table}",
    "delete using": "DELETE FROM {table} USING tenants WHERE true",
    "truncate": "TRUNCATE {table}",
    "truncate cascade": "TRUNCATE {table} CASCADE",
    "truncate the runs": "TRUNCATE operation_runs CASCADE",
    "truncate the tenants": "TRUNCATE tenants CASCADE",
    "merge delete": "MERGE INTO {table} a USING {table} b ON a.id = b.id WHEN MATCHED THEN DELETE",
    "merge update": (
        "MERGE INTO {table} a USING {table} b ON a.id = b.id"
        " WHEN MATCHED THEN UPDATE SET status = 'x'"
    ),
    "merge insert": (
        "MERGE INTO {table} a USING tenants b ON false WHEN NOT MATCHED THEN INSERT (id) VALUES (1)"
    ),
    "with delete": "WITH gone AS (DELETE FROM {table} RETURNING *) SELECT count(*) FROM gone",
    "with update": "WITH new AS (UPDATE {table} SET status = 'x' RETURNING 1) SELECT 1",
    "with insert": f"WITH new AS ({COPY} RETURNING 1) SELECT 1",
    "prepared": "PREPARE write AS DELETE FROM {table}; EXECUTE write",
    "do": "DO $$ BEGIN DELETE FROM {table}; END $$",
    "cursor": (
        "DECLARE rows CURSOR FOR SELECT * FROM {table} FOR UPDATE; FETCH rows;"
        " DELETE FROM {table} WHERE CURRENT OF rows"
    ),
    "view": "CREATE VIEW v AS SELECT * FROM {table}; DELETE FROM v",
    "temporary view": "CREATE TEMP VIEW v AS SELECT * FROM {table}; UPDATE v SET status = 'x'",
    "insert through a view": "CREATE TEMP VIEW v AS SELECT * FROM {table}; INSERT INTO v TABLE v",
    "the product's view": "DELETE FROM legacy_run_entries",
    "rule": "CREATE RULE r AS ON UPDATE TO {table} DO INSTEAD NOTHING",
    "rule of another table": (
        "CREATE TEMP TABLE t (id int); CREATE RULE r AS ON INSERT TO t DO ALSO DELETE FROM {table};"
        " INSERT INTO t VALUES (1)"
    ),
    "trigger": "CREATE TRIGGER t BEFORE DELETE ON {table} EXECUTE FUNCTION tenants_reject()",
    "write from a trigger": POKE.format(statement=UNLINK),
    "delete from a trigger": POKE.format(statement="DELETE FROM public.{table}"),
    "triggers disabled": "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "trigger dropped": "DROP TRIGGER {table}_read_only ON {table}",
    "row security": "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "table dropped": "DROP TABLE {table} CASCADE",
    "table renamed": "ALTER TABLE {table} RENAME TO other",
    "column dropped": "ALTER TABLE {table} DROP COLUMN status CASCADE",
    "child table": "CREATE TEMP TABLE child () INHERITS ({table}); INSERT INTO child (id) VALUES (1)",
    "replication role": "SET session_replication_role = replica; DELETE FROM {table}",
    "import setting": "SELECT set_config('runledger.legacy_import', 'on', true); " + COPY,
    "import setting of the session": "SET runledger.legacy_import = 'on'; " + COPY,
    "import setting of the role": (
        "ALTER ROLE CURRENT_USER SET runledger.legacy_import = 'on';"
        " SET runledger.legacy_import = 'on'; " + COPY
    ),
    "pruning setting": "SELECT set_config('runledger.pruning', 'on', true); DELETE FROM {table}",
    "delete the linked run": (
        "SELECT set_config('runledger.pruning', 'on', true); DELETE FROM operation_runs"
    ),
    "prune the linked run": (
        "SELECT operation_runs_remove(ARRAY(SELECT id FROM operation_runs))"
    ),
    "temporary run table": "CREATE TEMP TABLE operation_runs (id bigint);"
    + POKE.format(statement="UPDATE public.{table} SET operation_run_id = NULL WHERE operation_run_id > 0"),
    "temporary run table, insert": (
        "CREATE TEMP TABLE operation_runs AS SELECT 7 AS id, workspace_id, tenant_id,"
        " type FROM public.operation_runs; SET runledger.legacy_import = 'on';"
        + COPY.replace("::int", "::int, 'operation_run_id', 7").replace("INTO ", "INTO public.")
    ),
    "temporary legacy table": (
        "CREATE TEMP TABLE {table} AS TABLE public.{table}; DELETE FROM public.{table}"
    ),
    "temporary catalog": (
        "CREATE TEMP TABLE pg_class AS SELECT 'inventory_sync_runs'::regclass::oid AS oid,"
        " current_user::regrole::oid AS relowner;"
        " SET search_path = pg_temp, pg_catalog, public;"
        " SET runledger.legacy_import = 'on'; " + COPY.replace("INTO ", "INTO public.")
    ),
    "guard replaced": (
        "CREATE OR REPLACE FUNCTION legacy_runs_reject() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NULL; END $$"
    ),
    "guard shadowed": SHADOW_GUARD.format(function="legacy_runs_are_imported") + UNLINK,
    "guard shadowed, insert": SHADOW_GUARD.format(function="legacy_runs_are_imported")
    + COPY.replace("INTO ", "INTO public."),
    "guard dropped": "DROP FUNCTION legacy_runs_reject() CASCADE",
    "search path of a guard": "ALTER FUNCTION legacy_runs_reject() RESET search_path",
    "import of a changed row": (
        "SELECT legacy_runs_import('{table}', (SELECT jsonb_agg(to_jsonb(row) ||"
        " '{{\"status\": \"x\", \"operation_run_id\": null}}') FROM {table} row))"
    ),
    "import into another table": (
        "SELECT legacy_runs_import('tenants', (SELECT jsonb_agg(to_jsonb(row)) FROM {table} row))"
    ),
    "import as text of SQL": (
        "SELECT legacy_runs_import('{table}; DELETE FROM {table}', '[]'::jsonb)"
    ),
    "owner's role": "SET ROLE {owner}; DELETE FROM {table}",
    "owner's session": "SET SESSION AUTHORIZATION {owner}; DELETE FROM {table}",
    "membership": "GRANT {owner} TO CURRENT_USER",
    "own grant": "GRANT ALL ON {table} TO CURRENT_USER; DELETE FROM {table}",
    "new owner": "ALTER TABLE {table} OWNER TO CURRENT_USER",
    "catalog": "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgrelid = '{table}'::regclass",
    "copy from a program": "COPY {table} FROM PROGRAM 'true'",
    "large object": "SELECT lo_import('/etc/hostname')",
}  # fmt: skip
ROW_RIGHTS = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE"
ROLES = pytest.mark.parametrize("role", ["app_role", "import_role"])
EVERY_KIND = pytest.mark.parametrize("kind", TABLES)


@pytest.fixture
def url(role: str, request: pytest.FixtureRequest) -> str:
    """Connect as the role, which may create temporary tables, unlike in an installation."""
    url: str = request.getfixturevalue(role)
    name = conninfo_to_dict(url)["user"]
    with connection.cursor() as cursor:
        database = connection.settings_dict["NAME"]
        cursor.execute(f'GRANT TEMPORARY ON DATABASE "{database}" TO {name}')
    return url


def stored_state(table: str) -> Any:
    """The rows of a table, and its triggers."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT to_jsonb(row) FROM {table} row ORDER BY id")
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass ORDER BY 1",
            [table],
        )
        return rows, cursor.fetchall()


def is_refusal(error: psycopg.Error) -> bool:
    """Whether the database refused a statement, rather than not understanding it."""
    return isinstance(
        error,
        psycopg.errors.InsufficientPrivilege
        | psycopg.errors.RestrictViolation
        | psycopg.errors.CaseNotFound
        | psycopg.errors.ObjectNotInPrerequisiteState,
    )


@pytest.mark.parametrize("has_rights", [False, True], ids=["as granted", "with rights on rows"])
@ROLES
@EVERY_KIND
def test_no_way_to_write_gets_through(
    kind: str, role: str, url: str, has_rights: bool, tenant: Tenant
) -> None:
    """The triggers alone suffice, should a role have more rights than the commands grant."""
    table = TABLES[kind]._meta.db_table
    if has_rights:
        with connection.cursor() as cursor:
            name = conninfo_to_dict(url)["user"]
            cursor.execute(f"GRANT {ROW_RIGHTS} ON ALL TABLES IN SCHEMA public TO {name}")
    create_legacy_run(tenant, kind, create_canonical_run(tenant, kind))
    create_legacy_run(tenant, kind)
    before = stored_state(table)
    names = {"table": table, "owner": connection.settings_dict["USER"] or "postgres"}
    got_through, errors = [], {}
    for name, attempt in ATTEMPTS.items():
        try:
            with psycopg.connect(url) as session:
                session.execute(attempt.format(**names))
        except psycopg.Error as error:
            errors[name] = error
        if stored_state(table) != before:
            got_through.append(name)
            before = stored_state(table)

    assert got_through == []
    unexpected = {name: error for name, error in errors.items() if not is_refusal(error)}
    assert unexpected == {}, "a mistake in the attempt would prove nothing"
    assert len(ATTEMPTS) >= 61


@ROLES
@EVERY_KIND
def test_copy_is_refused(kind: str, role: str, url: str) -> None:
    table = TABLES[kind]._meta.db_table

    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        psycopg.connect(url) as session,
        session.cursor().copy(f"COPY {table} (id) FROM STDIN") as copy,
    ):
        copy.write("1\n")


@ROLES
def test_the_roles_have_no_right_to_write(role: str, request: pytest.FixtureRequest) -> None:
    tables = [model._meta.db_table for model in TABLES.values()]
    with psycopg.connect(request.getfixturevalue(role)) as session:
        for privilege in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES"):
            for table in tables:
                query = "SELECT has_table_privilege(%s, %s)"
                assert session.execute(query, [table, privilege]).fetchone() == (False,)
        query = "SELECT has_database_privilege(current_database(), 'TEMP')"
        assert session.execute(query).fetchone() == (False,)


def as_role(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process connect with another role."""
    parts = conninfo_to_dict(url)
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "USER", parts["user"])
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", parts["password"])


@EVERY_KIND
def test_the_role_of_the_import_imports(
    kind: str, import_role: str, tenant: Tenant, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_canonical_run(tenant, kind)
    mapped = {"operation_run_id": run.pk, "created_at": run.created_at.isoformat()}
    row = source_row(tenant, **mapped)
    path = tmp_path / "rows.csv"
    path.write_text(",".join(row) + "\n" + ",".join(str(value) for value in row.values()) + "\n")
    out = io.StringIO()

    with monkeypatch.context() as patch:
        as_role(import_role, patch)
        for _ in range(2):
            call_command("import_legacy_runs", csv=[f"{kind}={path}"], stdout=out)
        connection.close()

    assert "1 imported" in out.getvalue()
    assert "1 already imported" in out.getvalue()
    model: Any = TABLES[kind]
    assert model.objects.get(pk=row["id"]).operation_run_id == run.pk


def test_the_role_of_the_application_is_refused_with_an_explanation(
    app_role: str, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        as_role(app_role, patch)
        with pytest.raises(CommandError, match="grant_import_role"):
            call_command("import_legacy_runs", csv=["inventory_sync_run=/nowhere.csv"])
        connection.close()
