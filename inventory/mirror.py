"""Mirror a list of objects into a table: write new and changed rows, mark missing ones.

An unchanged row is not written: a sync of ten thousand objects of which three changed writes three
rows.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import connection, transaction

from tenancy.models import Tenant

Row = dict[str, Any]


class Change(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True)
class Changed:
    """One row that a sync changed, and the kind of change."""

    id: int
    graph_id: str
    name: str
    change: Change


@dataclass(frozen=True)
class Table:
    """A table to mirror into: its key within a tenant, and the columns that a list fills."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]


_COMMON = {"name": "varchar", "description": "varchar"}
POLICIES = Table(
    "policies",
    ("kind", "graph_id"),
    _COMMON
    | {
        "object_type": "varchar",
        "platform": "varchar",
        "state": "varchar",
        "is_assigned": "boolean",
        "last_modified_at": "timestamptz",
    },
)
GROUPS = Table(
    "directory_groups",
    ("graph_id",),
    _COMMON
    | {
        "group_type": "varchar",
        "is_dynamic": "boolean",
        "membership_rule": "varchar",
        "is_synced": "boolean",
        "is_assignable_to_role": "boolean",
    },
)
ROLE_DEFINITIONS = Table(
    "directory_role_definitions",
    ("graph_id",),
    _COMMON
    | {
        "template_id": "varchar",
        "is_built_in": "boolean",
        "is_enabled": "boolean",
        "actions": "varchar[]",
    },
)


def _upsert_sql(table: Table) -> str:
    key, columns = ", ".join(table.key), ", ".join(table.columns)
    column_types = dict.fromkeys(table.key, "varchar") | table.columns
    types = ", ".join(f"{name} {column_type}" for name, column_type in column_types.items())
    same_key = " AND ".join(f"stored.{name} = listed.{name}" for name in table.key)
    stored = ", ".join(f"stored.{name}" for name in table.columns)
    listed = ", ".join(f"listed.{name}" for name in table.columns)
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in table.columns)
    return f"""
    INSERT INTO {table.name} AS stored (workspace_id, tenant_id, {key}, {columns},
                                        first_seen_at, changed_at)
    SELECT %s, %s, {key}, {columns}, clock_timestamp(), clock_timestamp()
    FROM jsonb_to_recordset(%s::jsonb) AS listed({types})
    WHERE NOT EXISTS (
        SELECT FROM {table.name} stored WHERE stored.tenant_id = %s AND {same_key}
        AND stored.missing_since IS NULL AND ({stored}) IS NOT DISTINCT FROM ({listed}))
    ORDER BY {key}
    ON CONFLICT (tenant_id, {key}) DO UPDATE
    SET {updates}, missing_since = NULL, changed_at = clock_timestamp()
    RETURNING id, graph_id, name, xmax = 0
    """  # noqa: S608 - assembled from the tables above  # nosec B608


def _mark_missing_sql(table: Table) -> str:
    kind_filter = "AND kind = %s" if "kind" in table.key else ""
    return f"""
    UPDATE {table.name} SET missing_since = clock_timestamp()
    WHERE tenant_id = %s {kind_filter} AND missing_since IS NULL
    AND NOT EXISTS (SELECT FROM unnest(%s::varchar[]) AS listed(id) WHERE listed.id = graph_id)
    RETURNING id, graph_id, name
    """  # noqa: S608 - assembled from the tables above  # nosec B608


@transaction.atomic
def upsert(table: Table, tenant: Tenant, rows: Sequence[Row]) -> list[Changed]:
    """Write the new and changed rows and return them; a row that is no longer missing is updated.

    If a list contains an object twice, the last entry counts.
    """
    unique = {tuple(row[name] for name in table.key): row for row in rows}
    values: list[int | str] = [
        tenant.workspace_id,
        tenant.pk,
        json.dumps(list(unique.values())),
        tenant.pk,
    ]
    with connection.cursor() as cursor:
        cursor.execute(_upsert_sql(table), values)
        return [
            Changed(row_id, graph_id, name, Change.CREATED if is_new else Change.UPDATED)
            for row_id, graph_id, name, is_new in cursor.fetchall()
        ]


@transaction.atomic
def mark_missing(
    table: Table, tenant: Tenant, listed_ids: Collection[str], *, kind: str = ""
) -> list[Changed]:
    """Mark the rows that a complete list did not contain as missing, and return them.

    `kind` limits this to one kind, for the table with several kinds.
    """
    values: list[Any] = [tenant.pk]
    if "kind" in table.key:
        values.append(kind)
    values.append(list(listed_ids))
    with connection.cursor() as cursor:
        cursor.execute(_mark_missing_sql(table), values)
        return [
            Changed(row_id, graph_id, name, Change.DELETED)
            for row_id, graph_id, name in cursor.fetchall()
        ]


@transaction.atomic
def mark_removed(table: Table, tenant: Tenant, removed_ids: Collection[str]) -> list[Changed]:
    """Mark these rows of a table with one kind as missing, and return those that were not."""
    update = f"""
    UPDATE {table.name} SET missing_since = clock_timestamp()
    WHERE tenant_id = %s AND missing_since IS NULL AND graph_id = ANY(%s::varchar[])
    RETURNING id, graph_id, name
    """  # noqa: S608 - a table of ours  # nosec B608
    with connection.cursor() as cursor:
        cursor.execute(update, [tenant.pk, list(removed_ids)])
        return [
            Changed(row_id, graph_id, name, Change.DELETED)
            for row_id, graph_id, name in cursor.fetchall()
        ]


def count_present(table: Table, tenant: Tenant) -> int:
    """Return the number of rows of the tenant that are not missing."""
    count = f"SELECT count(*) FROM {table.name} WHERE tenant_id = %s AND missing_since IS NULL"  # noqa: S608 - a table of ours  # nosec B608
    with connection.cursor() as cursor:
        cursor.execute(count, [tenant.pk])
        return int(cursor.fetchone()[0])


def is_empty(table: Table, tenant: Tenant, *, kind: str = "") -> bool:
    """Whether the table has no row of the tenant, or none of one kind."""
    rows = f"SELECT FROM {table.name} WHERE tenant_id = %s"  # a table of ours  # nosec B608
    values: list[int | str] = [tenant.pk]
    if kind:
        rows += " AND kind = %s"
        values.append(kind)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT NOT EXISTS ({rows})", values)
        return bool(cursor.fetchone()[0])
