"""Copying the history of an older installation: in batches, each whole or not at all.

A row that is there already is left as it is, so an import may be repeated, and after a kill it is
simply started again.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection, transaction
from psycopg.rows import dict_row

from legacy_runs.columns import COLUMNS, Malformed, Raw, Row, model_of, parse, stored
from legacy_runs.door import importing

BATCH = 1000
#: A field of a CSV file is at most this long.
MAX_FIELD = 10 * 1024 * 1024
IMPORTED, THERE, SKIPPED = "imported", "already there", "skipped"


@dataclass(frozen=True)
class Reject:
    """A row that was not taken: where it stood, its id if it had one, and why."""

    kind: str
    line: int
    id: str
    reason: str


@dataclass
class Report:
    """What became of the rows so far."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


Numbered = tuple[int, Raw]


class Import:
    """An import of one kind. `told` is called with the report after each batch, `reject` with
    each row that is not taken; with `dry_run` nothing stays.
    """

    def __init__(
        self,
        kind: str,
        *,
        workspace: str = "",
        dry_run: bool = False,
        told: Callable[[Report], None] = lambda _: None,
        reject: Callable[[Reject], None] = lambda _: None,
        door: Callable[[], AbstractContextManager[None]] = importing,
    ) -> None:
        self.report = Report()
        self._kind = kind
        self._workspace = workspace
        self._dry_run = dry_run
        self._told = told
        self._reject = reject
        self._door = door
        self._sql = _insert_sql(kind)

    def run(self, rows: Iterable[Numbered]) -> Report:
        """Take every row that can be taken; memory holds one batch."""
        numbered = iter(rows)
        while batch := list(itertools.islice(numbered, BATCH)):
            self._take(batch)
            self._told(self.report)
        return self.report

    def _take(self, batch: list[Numbered]) -> None:
        parsed = [each for line, raw in batch if (each := self._parsed(line, raw))]
        with self._door(), connection.cursor() as cursor:
            body = json.dumps([row for _, row in parsed])
            cursor.execute(self._sql, [body, body])
            ends = dict(cursor.fetchall())
            if self._dry_run:
                transaction.set_rollback(True)
        for line, row in parsed:
            self._count(line, row, ends[row["position"]])

    def _parsed(self, line: int, raw: Raw) -> tuple[int, Row] | None:
        try:
            row = parse(self._kind, raw)
        except Malformed as error:
            self._refuse(line, str(raw.get("id", ""))[:40], str(error))
            return None
        return line, {**row, "workspace": row["workspace"] or self._workspace, "position": line}

    def _count(self, line: int, row: Row, end: str) -> None:
        if end in (IMPORTED, THERE):
            self.report.counts[end] += 1
        else:
            self._refuse(line, str(row["id"]), end)

    def _refuse(self, line: int, row_id: str, reason: str) -> None:
        self.report.counts[SKIPPED] += 1
        self.report.reasons[reason] += 1
        self._reject(Reject(self._kind, line, row_id, reason))


def _insert_sql(kind: str) -> str:
    """Insert a batch and tell of each row, by its position, what became of it."""
    table = model_of(kind)._meta.db_table  # noqa: SLF001 - Django's own API
    own = [column.name for column in stored(kind)]
    types = ", ".join(f"{column.name} {column.sql}" for column in COLUMNS[kind])
    columns = ", ".join(own)
    wanted = ", ".join(f"wanted.{name}" for name in own)
    held = ", ".join(f"held.{name}" for name in own)
    return f"""
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT ON (given.id) given.*, found.tenant_id, found.workspace_id, found.tenants
        FROM jsonb_to_recordset(%s::jsonb) AS given({types}, position bigint)
        CROSS JOIN LATERAL (
            SELECT min(tenant.id) AS tenant_id, min(tenant.workspace_id) AS workspace_id,
                   count(*) AS tenants
            FROM tenants tenant JOIN workspaces workspace ON workspace.id = tenant.workspace_id
            WHERE tenant.external_id = given.tenant_external_id
            AND given.workspace IN ('', workspace.slug)) found
        ORDER BY given.id, given.position
    ), added AS (
        INSERT INTO {table} ({columns}, workspace_id, tenant_id, operation_run_id,
                             was_operation_run_id)
        SELECT {wanted}, wanted.workspace_id, wanted.tenant_id, run.id, run.id
        FROM wanted LEFT JOIN operation_runs run
            ON run.id = wanted.operation_run_id AND run.workspace_id = wanted.workspace_id
            AND run.tenant_id = wanted.tenant_id
        WHERE wanted.tenants = 1
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    )
    SELECT given.position, CASE
        WHEN wanted.position IS NULL THEN 'the same id stands in this file before'
        WHEN wanted.tenants = 0 THEN 'tenant: not known here'
        WHEN wanted.tenants > 1 THEN 'tenant: in several workspaces; name one with --workspace'
        WHEN added.id IS NOT NULL THEN '{IMPORTED}'
        WHEN (held.tenant_id, {held}) IS NOT DISTINCT FROM (wanted.tenant_id, {wanted})
            THEN '{THERE}'
        ELSE 'id: taken by a row that says something else' END
    FROM jsonb_to_recordset(%s::jsonb) AS given(position bigint)
    LEFT JOIN wanted ON wanted.position = given.position
    LEFT JOIN added ON added.id = wanted.id
    LEFT JOIN {table} held ON held.id = wanted.id AND added.id IS NULL
    """  # noqa: S608 - assembled from the columns above


# --- where the rows come from ------------------------------------------------------------------------


def from_csv(path: Path) -> Iterator[Numbered]:
    """The rows of a CSV file with a header, by the line on which each begins.

    Raises:
        OSError: it cannot be read.
        csv.Error, UnicodeDecodeError: it is not a CSV file in UTF-8.
    """
    csv.field_size_limit(MAX_FIELD)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for raw in reader:
            yield reader.line_num, {str(name).strip(): value for name, value in raw.items()}


def from_database(kind: str, source: str) -> Iterator[Numbered]:
    """The rows of an older installation's table, streamed, by their number.

    The older system has the same tables, and `tenants` with an `external_id`.

    Raises:
        psycopg.Error: it cannot be reached, or is another kind of database.
    """
    table = model_of(kind)._meta.db_table  # noqa: SLF001 - Django's own API
    query = (
        f"SELECT legacy.*, tenant.external_id AS tenant_external_id FROM {table} legacy"  # noqa: S608
        " JOIN tenants tenant ON tenant.id = legacy.tenant_id ORDER BY legacy.id"
    )
    with (
        psycopg.connect(source, connect_timeout=10) as older,
        older.cursor("legacy", row_factory=dict_row) as cursor,
    ):
        older.read_only = True
        cursor.itersize = BATCH
        cursor.execute(query)
        for number, row in enumerate(cursor, start=1):
            row.pop("workspace", None)
            yield number, _known(kind, row)


def _known(kind: str, row: dict[str, Any]) -> Raw:
    return {column.name: row.get(column.name) for column in COLUMNS[kind]}
