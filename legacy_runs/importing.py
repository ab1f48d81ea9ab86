"""Import legacy runs of an older installation in batches; each batch is one transaction.

Existing rows are not changed, so an import can be repeated, also after it was killed.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from django.db import connection, transaction

from legacy_runs.columns import (
    COLUMNS,
    Malformed,
    Raw,
    Row,
    model_of,
    parse,
    stored_columns,
    table_of,
)

BATCH = 1000
IMPORTED, UNCHANGED, REJECTED = "imported", "already imported", "rejected"
ID_IN_USE = "id: in use by a row with other values"
#: A row whose id is in use: already imported, or rejected.
_ID_EXISTS = "id exists"

Numbered = tuple[int, Raw]


@dataclass(frozen=True)
class Reject:
    """A rejected row, with its line in the source and the reason."""

    kind: str
    line: int
    reason: str
    raw: Raw


@dataclass
class Report:
    """The counts of an import so far; `tenants` and `mapped` count imported rows only."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    tenants: Counter[int] = field(default_factory=Counter)
    mapped: int = 0

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


class Import:
    """An import of one kind.

    `workspace` is the slug for rows that name no workspace; `workspaces` maps workspace numbers of
    the older installation to slugs. `reject` is called with each rejected row, `on_progress` with
    the report after each batch. With `dry_run`, everything is rolled back.
    """

    def __init__(
        self,
        kind: str,
        *,
        workspace: str = "",
        workspaces: Mapping[str, str] | None = None,
        dry_run: bool = False,
        reject: Callable[[Reject], None] = lambda _: None,
    ) -> None:
        self.report = Report()
        self.kind = kind
        self._workspace = workspace
        self._workspaces = workspaces or {}
        self.dry_run = dry_run
        self.on_progress: Callable[[Report], None] = lambda _: None
        self._reject = reject
        self._insert = _insert_sql(kind)
        self._compare = _compare_sql(kind)

    def run(self, rows: Iterable[Numbered]) -> Report:
        """Import every valid row and return the report; memory contains one batch at a time."""
        if not self.dry_run:
            return self._run(rows)
        with transaction.atomic():
            with connection.cursor() as cursor:
                # A dry run waits for its source within one transaction, and reports deferred
                # constraints too.
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            self._run(rows)
            transaction.set_rollback(True)
        return self.report

    def _run(self, rows: Iterable[Numbered]) -> Report:
        numbered_rows = iter(rows)
        for first in numbered_rows:
            batch = itertools.chain([first], itertools.islice(numbered_rows, BATCH - 1))
            parsed_rows = [self._parse(line, raw) for line, raw in batch]
            self._import_batch([row for row in parsed_rows if row])
            self.on_progress(self.report)
        return self.report

    def _parse(self, line: int, raw: Raw) -> tuple[Raw, Row] | None:
        try:
            row = parse(self.kind, raw)
        except Malformed as error:
            self._report_reject(line, raw, str(error))
            return None
        workspace = row["workspace"] or self._workspace
        if number := row["workspace_id"]:
            workspace = self._workspaces.get(number) or workspace
        return raw, {**row, "workspace": workspace, "position": line}

    def _import_batch(self, batch: list[tuple[Raw, Row]]) -> None:
        rows = [row for _, row in batch]
        with transaction.atomic():
            results = _execute(self._insert, rows)
            existing = [row for row in rows if results[row["position"]][0] == _ID_EXISTS]
            if existing:
                # A second statement: it sees rows that another import has added in the meantime.
                results |= _execute(self._compare, existing)
        for raw, row in batch:
            self._report_row(raw, row, *results[row["position"]])

    def _report_row(self, raw: Raw, row: Row, result: str, tenant_id: int, is_mapped: bool) -> None:
        if result not in (IMPORTED, UNCHANGED):
            self._report_reject(row["position"], raw, result)
            return
        self.report.counts[result] += 1
        if result == IMPORTED:
            self.report.tenants[tenant_id] += 1
            self.report.mapped += is_mapped

    def _report_reject(self, line: int, raw: Raw, reason: str) -> None:
        self.report.counts[REJECTED] += 1
        self.report.reasons[reason] += 1
        self._reject(Reject(self.kind, line, reason, raw))


def _execute(statement: str, rows: list[Row]) -> dict[int, tuple[str, int, bool]]:
    """Return result, tenant and whether it is mapped of each row, by the position of the row."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows)])
        return {position: tuple(result) for position, *result in cursor.fetchall()}


def _source_rows(kind: str) -> str:
    """Return the SQL that reads the rows from the statement's parameter."""
    columns = [column for column in COLUMNS[kind] if column.name != "workspace_id"]
    types = ", ".join(f"{column.name} {column.sql}" for column in columns)
    return f"jsonb_to_recordset(%s::jsonb) AS source({types}, position bigint)"


def _join_run(table: str, kind: str) -> str:
    """Return the SQL that joins the run of a row.

    The older installation numbered its own runs, so the number alone proves nothing: tenant and
    type must match as well, and the two must be created within a day of each other.
    """
    types = ", ".join(f"'{run_type}'" for run_type in model_of(kind).RUN_TYPES)
    return f"""
        LEFT JOIN {table} ON {table}.id = scoped.operation_run_id
            AND {table}.workspace_id = scoped.workspace_id AND {table}.tenant_id = scoped.tenant_id
            AND {table}.type IN ({types})
            AND {table}.created_at BETWEEN scoped.created_at - interval '1 day'
                AND scoped.created_at + interval '1 day'"""


def _insert_sql(kind: str) -> str:
    """Return the SQL that inserts a batch and returns the result of each row."""
    names = [column.name for column in stored_columns(kind)]
    values = ", ".join(f"scoped.{name}" for name in names)
    return f"""
    WITH scoped AS MATERIALIZED (
        SELECT source.*, scope.tenant_id, scope.workspace_id, scope.tenants,
               row_number() OVER (PARTITION BY source.id, scope.tenants = 1
                                  ORDER BY source.position) AS place
        FROM {_source_rows(kind)}
        CROSS JOIN LATERAL (
            SELECT min(tenant.id) AS tenant_id, min(tenant.workspace_id) AS workspace_id,
                   count(*) AS tenants
            FROM tenants tenant JOIN workspaces workspace ON workspace.id = tenant.workspace_id
            WHERE tenant.external_id = source.tenant_external_id
            AND source.workspace IN ('', workspace.slug)) scope
    ), resolved AS (
        SELECT {values}, scoped.workspace_id, scoped.tenant_id,
               operation_runs.id AS operation_run_id,
               coalesce(operation_runs.id, operation_run_tombstones.id) AS was_operation_run_id
        FROM scoped {_join_run("operation_runs", kind)}
        {_join_run("operation_run_tombstones", kind)}
        WHERE scoped.tenants = 1 AND scoped.place = 1
    ), added AS MATERIALIZED (
        SELECT id, operation_run_id FROM legacy_runs_import(
            '{table_of(kind)}', (SELECT jsonb_agg(to_jsonb(resolved)) FROM resolved))
    )
    SELECT scoped.position, CASE
        WHEN scoped.tenants = 0 THEN 'tenant: unknown'
        WHEN scoped.tenants > 1 THEN 'tenant: in several workspaces; select one with --workspace'
        WHEN added.id IS NULL OR scoped.place > 1 THEN '{_ID_EXISTS}'
        ELSE '{IMPORTED}' END, scoped.tenant_id, added.operation_run_id IS NOT NULL
    FROM scoped LEFT JOIN added ON added.id = scoped.id
    """  # noqa: S608 - assembled from the columns above  # nosec B608


def _compare_sql(kind: str) -> str:
    """Return the SQL that compares each row with the existing row of the same id.

    It ignores `updated_at`, which earlier imports did not store.
    """
    names = [column.name for column in stored_columns(kind) if column.name != "updated_at"]
    existing_values = ", ".join(f"existing.{name}" for name in names)
    source_values = ", ".join(f"source.{name}" for name in names)
    return f"""
    SELECT source.position,
           CASE WHEN ({existing_values}) IS NOT DISTINCT FROM ({source_values})
                AND tenant.external_id = source.tenant_external_id
                AND source.workspace IN ('', workspace.slug)
                THEN '{UNCHANGED}' ELSE '{ID_IN_USE}' END,
           existing.tenant_id, existing.operation_run_id IS NOT NULL
    FROM {_source_rows(kind)}
    JOIN {table_of(kind)} existing ON existing.id = source.id
    JOIN tenants tenant ON tenant.id = existing.tenant_id
    JOIN workspaces workspace ON workspace.id = existing.workspace_id
    """  # noqa: S608 - assembled from the columns above  # nosec B608
