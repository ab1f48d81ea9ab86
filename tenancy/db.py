"""The database's clock, and migration operations that separate the rows of workspaces."""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.db.migrations import RunSQL


def database_now() -> dt.datetime:
    """Return the current time of the database, the one clock that all processes share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: dt.datetime = cursor.fetchone()[0]
    return now


def composite_tenant_fk(table: str) -> RunSQL:
    """A foreign key (tenant_id, workspace_id) → tenants: no tenant of another workspace.

    Declare the model's tenant field with `db_constraint=False`; this one is stronger.
    """
    name = f"{table}_tenant_of_workspace"
    return RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (tenant_id, workspace_id) "
        "REFERENCES tenants (id, workspace_id) DEFERRABLE INITIALLY IMMEDIATE",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )
