"""The database roles of an installation, and what each of them may do.

The owner of the tables runs the migrations. The guards bind every other role: worker and beat connect
with the application's role, web with one that has the same privileges and shorter limits of time, and
the import of legacy runs with another one.
"""

from __future__ import annotations

import json

from django.conf import settings
from django.db import connection
from psycopg import sql

#: Tables and the privileges that the application's role does not have on them; apps add theirs.
WITHHELD_PRIVILEGES = [
    ("operation_runs", "DELETE, TRUNCATE"),
    ("operation_run_events", "UPDATE, DELETE, TRUNCATE"),
    ("operation_run_items", "DELETE, TRUNCATE"),
    ("operation_run_tombstones", "INSERT, UPDATE, DELETE, TRUNCATE"),
    ("audit_entries", "INSERT, UPDATE, DELETE, TRUNCATE"),
    ("audit_links", "INSERT, UPDATE, DELETE, TRUNCATE"),
    ("operation_incidents", "DELETE, TRUNCATE"),
    ("operation_metrics", "INSERT, UPDATE, DELETE, TRUNCATE"),
    ("operation_metric_increments", "INSERT, UPDATE, DELETE, TRUNCATE"),
    ("operation_run_counts", "INSERT, UPDATE, DELETE, TRUNCATE"),
    # Which guards exist: only the owner migrates.
    ("django_migrations", "INSERT, UPDATE, DELETE, TRUNCATE"),
]
#: The functions of the owner that the application may call. They check each row themselves.
CALLABLE_FUNCTIONS = [
    "operation_runs_mark_details_removed(bigint[])",
    "operation_runs_delete_details(bigint[], integer)",
    "operation_runs_remove(bigint[])",
    "operation_run_tombstones_delete(bigint, timestamptz, integer)",
    "audit_record_event(text, bigint, text, bigint, jsonb, jsonb)",
    "audit_seal(integer, bigint)",
    "audit_remove_old(integer, integer, jsonb)",
    "operation_incidents_remove(bigint, timestamptz, integer)",
    "operation_metrics_record(jsonb)",
    "operation_metrics_update(integer, text[], float8[])",
    "operation_run_counts_rebuild()",
]

#: The attributes that a role must not have. They are removed only where they are set: naming most of
#: them takes a superuser, even if nothing changes.
_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreatedb": "CREATEDB",
    "rolcreaterole": "CREATEROLE",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
#: No role can shadow a table by a temporary one, add an object to the schema, or call a function of
#: the owner that was not granted to it: a dump without privileges restores them for every role.
_CONFINE = """
REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role};
REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role};
GRANT USAGE ON SCHEMA {schema} TO {role};
DO $$
DECLARE
    callable regprocedure;
BEGIN
    FOR callable IN
        SELECT oid FROM pg_proc WHERE prosecdef AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', callable);
    END LOOP;
END $$;
"""
#: Privileges on the rows of existing and future tables, but none on the tables themselves.
_GRANT_APPLICATION = """
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema}
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role};
"""


def withhold(privileges: str, *tables: str) -> None:
    """Withhold privileges, such as `UPDATE, DELETE`, on tables from the application's role."""
    WITHHELD_PRIVILEGES.extend((table, privileges) for table in tables)


def register_read_only_tables(*tables: str) -> None:
    """Withhold every write to these tables from the application's role."""
    withhold("INSERT, UPDATE, DELETE, TRUNCATE", *tables)


def allow_functions(*signatures: str) -> None:
    """Allow the application's role to call functions that run as the owner of the tables."""
    CALLABLE_FUNCTIONS.extend(signatures)


def create_or_update_role(name: str, password: str) -> None:
    """Create a role, or update its password, its attributes and its limit of idle transactions.

    It can own and change nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(role) FROM pg_roles role WHERE rolname = %s", [name])
        row = cursor.fetchone()
        attributes = json.loads(row[0]) if row else {}
        removed = [
            f"NO{attribute}" for key, attribute in _ATTRIBUTES.items() if attributes.get(key)
        ]
        cursor.execute(
            sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                sql.SQL("ALTER" if row else "CREATE"),
                sql.Identifier(name),
                sql.SQL(" ".join(removed)),
                sql.Literal(password),
            )
        )
        # A pooler can drop what a client sends when it connects, but not what the role says.
        cursor.execute(
            sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = {}").format(
                sql.Identifier(name), sql.Literal(f"{settings.IDLE_IN_TRANSACTION_SECONDS}s")
            )
        )


def grant_application_privileges(name: str) -> None:
    """Grant the role access to the rows of existing and future tables, but not to the tables."""
    withheld = "".join(
        f"REVOKE {privileges} ON {table} FROM {{role}};"
        for table, privileges in WITHHELD_PRIVILEGES
    )
    allowed = f"GRANT EXECUTE ON FUNCTION {', '.join(CALLABLE_FUNCTIONS)} TO {{role}};"
    grant(name, _CONFINE + _GRANT_APPLICATION + withheld + allowed)


def grant_web_privileges(name: str) -> None:
    """Grant the role what the application's role may do, now and later."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("GRANT {} TO {}").format(
                sql.Identifier(settings.APP_DATABASE_ROLE), sql.Identifier(name)
            )
        )


def limit_role(name: str, *, statement_seconds: float, lock_seconds: float) -> None:
    """Limit how long a statement of the role may take, and may wait for a lock."""
    limits = {"statement_timeout": statement_seconds, "lock_timeout": lock_seconds}
    with connection.cursor() as cursor:
        for parameter, seconds in limits.items():
            cursor.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    sql.Identifier(name),
                    sql.Identifier(parameter),
                    sql.Literal(f"{int(seconds * 1000)}ms"),
                )
            )


def grant_privileges(name: str, statements: str) -> None:
    """Grant a role these privileges and no others; `{role}` stands for it in the statements."""
    grant(name, "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role};" + _CONFINE + statements)


def grant(name: str, statements: str) -> None:
    """Run statements in which `{role}`, `{schema}` and `{database}` are replaced by names."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_database()")
        schema, database = cursor.fetchone()
        cursor.execute(
            sql.SQL(statements).format(
                schema=sql.Identifier(schema),
                database=sql.Identifier(database),
                role=sql.Identifier(name),
            )
        )
