"""Copying the history of an older installation: in batches, each whole or not at all.

A row that is there already is left as it is, so an import may be repeated, and after a kill it is
simply started again.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from django.db import connection, transaction

from legacy_runs.columns import COLUMNS, Malformed, Raw, Row, model_of, parse, stored, table_of
from legacy_runs.write_access import allow_import

BATCH = 1000
IMPORTED, THERE, SKIPPED = "imported", "already there", "skipped"
TAKEN = "id: taken by a row that says something else"
_HELD = "held"

Numbered = tuple[int, Raw]
OpenTransaction = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Reject:
    """A row that was not taken: where it stood, what it was, and why."""

    kind: str
    line: int
    reason: str
    raw: Raw


@dataclass
class Report:
    """What became of the rows so far: of the imported ones also whose they are, and how many lead
    to a run.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    tenants: Counter[int] = field(default_factory=Counter)
    mapped: int = 0

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


class Import:
    """An import of one kind. `workspace` is the slug for rows that do not say whose they are,
    `workspaces` the slugs by the older installation's numbers. `reject` is called
    with each row that is not taken, `told` with the report after each batch; with `dry_run` nothing
    stays.
    """

    def __init__(
        self,
        kind: str,
        *,
        workspace: str = "",
        workspaces: Mapping[str, str] | None = None,
        dry_run: bool = False,
        reject: Callable[[Reject], None] = lambda _: None,
        open_transaction: OpenTransaction = allow_import,
    ) -> None:
        self.report = Report()
        self.kind = kind
        self._workspace = workspace
        self._workspaces = workspaces or {}
        self.dry_run = dry_run
        self.told: Callable[[Report], None] = lambda _: None
        self._reject = reject
        self._open_transaction = open_transaction
        self._insert = _insert_sql(kind)
        self._compare = _compare_sql(kind)

    def run(self, rows: Iterable[Numbered]) -> Report:
        """Take every row that can be taken; memory holds one batch."""
        if not self.dry_run:
            return self._run(rows, self._open_transaction)
        with self._open_transaction():
            _allow_a_long_look()
            self._run(rows, nullcontext)
            transaction.set_rollback(True)
        return self.report

    def _run(self, rows: Iterable[Numbered], open_transaction: OpenTransaction) -> Report:
        numbered = iter(rows)
        for first in numbered:
            batch = itertools.chain([first], itertools.islice(numbered, BATCH - 1))
            self._take([each for one in batch if (each := self._parsed(*one))], open_transaction)
            self.told(self.report)
        return self.report

    def _take(self, batch: list[tuple[Raw, Row]], open_transaction: OpenTransaction) -> None:
        rows = [row for _, row in batch]
        with open_transaction():
            ends = _ask(self._insert, rows)
            held = [row for row in rows if ends[row["position"]][0] == _HELD]
            # A statement of its own: it sees what another import has added since the first began.
            ends |= _ask(self._compare, held) if held else {}
        for raw, row in batch:
            self._count(raw, row, *ends[row["position"]])

    def _parsed(self, line: int, raw: Raw) -> tuple[Raw, Row] | None:
        try:
            row = parse(self.kind, raw)
        except Malformed as error:
            self._refuse(line, raw, str(error))
            return None
        return raw, {**row, "workspace": self._slug_of(row), "position": line}

    def _slug_of(self, row: Row) -> str:
        number = row["workspace_id"]
        by_number = self._workspaces.get(number, "") if number else ""
        return str(by_number or row["workspace"] or self._workspace)

    def _count(self, raw: Raw, row: Row, end: str, tenant_id: int, is_mapped: bool) -> None:
        if end not in (IMPORTED, THERE):
            self._refuse(row["position"], raw, end)
            return
        self.report.counts[end] += 1
        if end == IMPORTED:
            self.report.tenants[tenant_id] += 1
            self.report.mapped += is_mapped

    def _refuse(self, line: int, raw: Raw, reason: str) -> None:
        self.report.counts[SKIPPED] += 1
        self.report.reasons[reason] += 1
        self._reject(Reject(self.kind, line, reason, raw))


def _allow_a_long_look() -> None:
    """A dry run is one transaction, which waits for its source, and is to meet every refusal."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def _ask(statement: str, rows: list[Row]) -> dict[int, tuple[str, int, bool]]:
    """What became of each row, by its position: the end, its tenant, whether it has a run."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [json.dumps(rows)])
        return {position: tuple(told) for position, *told in cursor.fetchall()}


def _given(kind: str) -> str:
    columns = [column for column in COLUMNS[kind] if column.name != "workspace_id"]
    types = ", ".join(f"{column.name} {column.sql}" for column in columns)
    return f"jsonb_to_recordset(%s::jsonb) AS given({types}, position bigint)"


def _run_of_row(table: str, kind: str) -> str:
    """A run is the row's own if it did the same for the same tenant at about the same time: the
    older installation numbered its own runs, so that the number may be that of any run here.
    """
    types = ", ".join(f"'{each}'" for each in model_of(kind).RUN_TYPES)
    return f"""
        LEFT JOIN {table} ON {table}.id = wanted.operation_run_id
            AND {table}.workspace_id = wanted.workspace_id AND {table}.tenant_id = wanted.tenant_id
            AND {table}.type IN ({types})
            AND {table}.created_at BETWEEN wanted.created_at - interval '1 day'
                AND wanted.created_at + interval '1 day'"""


def _insert_sql(kind: str) -> str:
    """Insert a batch and tell of each row what became of it; `held` where its id is there."""
    own = [column.name for column in stored(kind)]
    wanted = ", ".join(f"wanted.{name}" for name in own)
    return f"""
    WITH wanted AS MATERIALIZED (
        SELECT given.*, found.tenant_id, found.workspace_id, found.tenants,
               row_number() OVER (PARTITION BY given.id, found.tenants = 1
                                  ORDER BY given.position) AS place
        FROM {_given(kind)}
        CROSS JOIN LATERAL (
            SELECT min(tenant.id) AS tenant_id, min(tenant.workspace_id) AS workspace_id,
                   count(*) AS tenants
            FROM tenants tenant JOIN workspaces workspace ON workspace.id = tenant.workspace_id
            WHERE tenant.external_id = given.tenant_external_id
            AND given.workspace IN ('', workspace.slug)) found
    ), added AS (
        INSERT INTO {table_of(kind)} ({", ".join(own)}, workspace_id, tenant_id,
                                      operation_run_id, was_operation_run_id)
        SELECT {wanted}, wanted.workspace_id, wanted.tenant_id,
               operation_runs.id, coalesce(operation_runs.id, operation_run_tombstones.id)
        FROM wanted {_run_of_row("operation_runs", kind)}
        {_run_of_row("operation_run_tombstones", kind)}
        WHERE wanted.tenants = 1 AND wanted.place = 1
        ORDER BY wanted.id
        ON CONFLICT (id) DO NOTHING
        RETURNING id, operation_run_id
    )
    SELECT wanted.position, CASE
        WHEN wanted.tenants = 0 THEN 'tenant: not known here'
        WHEN wanted.tenants > 1 THEN 'tenant: in several workspaces; name one with --workspace'
        WHEN added.id IS NULL OR wanted.place > 1 THEN '{_HELD}'
        ELSE '{IMPORTED}' END, wanted.tenant_id, added.operation_run_id IS NOT NULL
    FROM wanted LEFT JOIN added ON added.id = wanted.id
    """  # noqa: S608 - assembled from the columns above


def _compare_sql(kind: str) -> str:
    """Whether each row says the same as the one that has its id.

    `updated_at` is not asked: rows that were imported before it was kept have none.
    """
    own = [column.name for column in stored(kind) if column.name != "updated_at"]
    held, given = (", ".join(f"{side}.{name}" for name in own) for side in ("held", "given"))
    return f"""
    SELECT given.position,
           CASE WHEN ({held}) IS NOT DISTINCT FROM ({given})
                AND tenant.external_id = given.tenant_external_id
                AND given.workspace IN ('', workspace.slug) THEN '{THERE}' ELSE '{TAKEN}' END,
           held.tenant_id, held.operation_run_id IS NOT NULL
    FROM {_given(kind)}
    JOIN {table_of(kind)} held ON held.id = given.id
    JOIN tenants tenant ON tenant.id = held.tenant_id
    JOIN workspaces workspace ON workspace.id = held.workspace_id
    """  # noqa: S608 - assembled from the columns above
