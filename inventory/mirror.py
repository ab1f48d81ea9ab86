"""Keeping a table the image of a listing: what is new, what is different, what is gone.

A row is written only if something of it changed, so that a sync of ten thousand objects of which
three changed writes three rows.
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
    """One row that a sync changed, and how."""

    id: int
    graph_id: str
    name: str
    change: Change


@dataclass(frozen=True)
class Table:
    """A table to mirror into: its key within a tenant, and the columns that a listing fills."""

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
    types = ", ".join(
        [*(f"{name} varchar" for name in table.key)]
        + [f"{name} {kind}" for name, kind in table.columns.items()]
    )
    same_key = " AND ".join(f"held.{name} = seen.{name}" for name in table.key)
    held = ", ".join(f"held.{name}" for name in table.columns)
    seen = ", ".join(f"seen.{name}" for name in table.columns)
    updates = ", ".join(f"{name} = EXCLUDED.{name}" for name in table.columns)
    return f"""
    INSERT INTO {table.name} AS held (workspace_id, tenant_id, {key}, {columns},
                                      first_seen_at, changed_at)
    SELECT %s, %s, {key}, {columns}, clock_timestamp(), clock_timestamp()
    FROM jsonb_to_recordset(%s::jsonb) AS seen({types})
    WHERE NOT EXISTS (
        SELECT FROM {table.name} held WHERE held.tenant_id = %s AND {same_key}
        AND held.missing_since IS NULL AND ({held}) IS NOT DISTINCT FROM ({seen}))
    ORDER BY {key}
    ON CONFLICT (tenant_id, {key}) DO UPDATE
    SET {updates}, missing_since = NULL, changed_at = clock_timestamp()
    RETURNING id, graph_id, name, xmax = 0
    """  # noqa: S608 - assembled from the tables above


def _retire_sql(table: Table) -> str:
    within = "AND kind = %s" if "kind" in table.key else ""
    return f"""
    UPDATE {table.name} SET missing_since = clock_timestamp()
    WHERE tenant_id = %s {within} AND missing_since IS NULL
    AND NOT EXISTS (SELECT FROM unnest(%s::varchar[]) AS seen(id) WHERE seen.id = graph_id)
    RETURNING id, graph_id, name
    """  # noqa: S608 - assembled from the tables above


@transaction.atomic
def upsert(table: Table, tenant: Tenant, rows: Sequence[Row]) -> list[Changed]:
    """Write what is new or different; those rows, with an object that is back among the updated.

    Of an object that a listing gives twice the last one holds.
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
def retire(table: Table, tenant: Tenant, seen: Collection[str], *, kind: str = "") -> list[Changed]:
    """Mark what a listing that came to its end did not hold as gone; those rows.

    `kind` limits it to one kind, for the table that has several.
    """
    values: list[Any] = [tenant.pk, *([kind] if "kind" in table.key else []), list(seen)]
    with connection.cursor() as cursor:
        cursor.execute(_retire_sql(table), values)
        return [
            Changed(row_id, graph_id, name, Change.DELETED)
            for row_id, graph_id, name in cursor.fetchall()
        ]


def is_empty(table: Table, tenant: Tenant, *, kind: str = "") -> bool:
    """Whether nothing of the tenant (of that kind) was ever seen."""
    within = "AND kind = %s" if kind else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT NOT EXISTS (SELECT FROM {table.name} WHERE tenant_id = %s {within})",  # noqa: S608
            [tenant.pk, *([kind] if kind else [])],
        )
        return bool(cursor.fetchone()[0])
