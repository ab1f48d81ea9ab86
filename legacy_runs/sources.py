"""Where the rows of an older installation come from: a file, or its database; streamed, never held.

A source gives its rows by their number and, while it does, the share of itself that is read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, TextIO

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.string import TextLoader

from legacy_runs.columns import COLUMNS, SURPLUS, Raw, table_of

#: A field of a CSV file is at most this long.
MAX_FIELD = 1024 * 1024
#: So many rows at a time come from the older database.
FETCHED = 1000

Numbered = tuple[int, Raw]


class Source(Protocol):
    """Rows, and how far they are read: from 0 to 1, or None where nobody knows."""

    def __iter__(self) -> Iterator[Numbered]: ...

    def share(self) -> float | None: ...


class CsvFile:
    """The rows of a CSV file with a header, by the line on which each begins.

    Raises:
        OSError: it cannot be read; at once, not only when it is read.
        csv.Error, UnicodeDecodeError: it is not a CSV file in UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        with path.open("rb"):
            self._size = path.stat().st_size if path.is_file() else 0

    def __iter__(self) -> Iterator[Numbered]:
        csv.field_size_limit(MAX_FIELD)
        with self._path.open(encoding="utf-8-sig", newline="") as self._file:
            reader = csv.reader(self._file)
            names = [name.strip() for name in next(reader, [])]
            line = reader.line_num + 1
            for fields in reader:
                if fields:
                    yield line, _named(names, fields)
                line = reader.line_num + 1
        self._file = None

    def share(self) -> float | None:
        if self._file is None or not self._size:
            return None
        return min(self._file.buffer.tell() / self._size, 1.0)


def _named(names: list[str], fields: list[str]) -> Raw:
    return {**dict(zip(names, fields, strict=False)), SURPLUS: fields[len(names) :]}


# The tenant is looked for by its number; a row whose tenant is gone comes along, and is told.
_ROWS = """
SELECT legacy.*, tenant.external_id AS tenant_external_id,
       to_jsonb(tenant) ->> 'workspace_id' AS workspace_of_tenant
FROM {table} legacy LEFT JOIN tenants tenant ON tenant.id = legacy.tenant_id ORDER BY legacy.id
"""
#: Times may be ones that Python has no value for, JSON may be too deep: our own reading tells.
_AS_TEXT = ("timestamp", "timestamptz", "date", "json", "jsonb")


class OlderDatabase:
    """The rows of an older installation's table, by their number.

    The older system has the same tables, and `tenants` with an `external_id`; where those have a
    `workspace_id`, each row comes with it.

    Raises:
        psycopg.Error: it cannot be reached, or is another kind of database.
    """

    def __init__(self, kind: str, address: str) -> None:
        self._kind = kind
        self._address = address
        self._table = sql.Identifier(table_of(kind))
        self._total = self._read = 0

    def __iter__(self) -> Iterator[Numbered]:
        with psycopg.connect(self._address, connect_timeout=10, client_encoding="utf8") as older:
            self._prepare(older)
            with older.cursor("legacy", row_factory=dict_row) as cursor:
                cursor.itersize = FETCHED
                cursor.execute(sql.SQL(_ROWS).format(table=self._table))
                for self._read, row in enumerate(cursor, start=1):
                    yield self._read, _known(self._kind, row)

    def share(self) -> float | None:
        return min(self._read / self._total, 1.0) if self._total else None

    def _prepare(self, older: psycopg.Connection[Any]) -> None:
        older.read_only = True
        for name in _AS_TEXT:
            older.adapters.register_loader(name, TextLoader)
        older.execute("SET TIME ZONE 'UTC'")
        counted = older.execute(sql.SQL("SELECT count(*) FROM {}").format(self._table)).fetchone()
        (self._total,) = counted or (0,)


def _known(kind: str, row: dict[str, Any]) -> Raw:
    """The columns that are known; a slug of the older system would say nothing here."""
    named = row.get("workspace_id") or row.pop("workspace_of_tenant", None)
    row |= {"workspace": None, "workspace_id": named}
    return {column.name: row.get(column.name) for column in COLUMNS[kind]}
