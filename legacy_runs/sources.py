"""The sources of legacy runs: a CSV file, or the database of the older installation.

A source streams numbered rows and reports the share that has been read.
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

#: The maximum length of a field of a CSV file, in characters.
MAX_FIELD = 1024 * 1024
#: The number of rows in one fetch from the older database.
FETCH_SIZE = 1000

Numbered = tuple[int, Raw]


class Source(Protocol):
    """Numbered rows, and the share that has been read: from 0 to 1, or None if unknown."""

    def __iter__(self) -> Iterator[Numbered]: ...

    def share(self) -> float | None: ...


class CsvFile:
    """The rows of a CSV file with a header, numbered by the line on which each begins.

    Raises:
        OSError: the file cannot be opened; raised by the constructor.
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
                    surplus = fields[len(names) :]
                    yield line, {**dict(zip(names, fields, strict=False)), SURPLUS: surplus}
                line = reader.line_num + 1
        self._file = None

    def share(self) -> float | None:
        if self._file is None or not self._size:
            return None
        return min(self._file.buffer.tell() / self._size, 1.0)


# Rows of deleted tenants are read as well, so that the import reports them.
_ROWS = """
SELECT legacy.*, tenant.external_id AS tenant_external_id,
       to_jsonb(tenant) ->> 'workspace_id' AS workspace_of_tenant
FROM {table} legacy LEFT JOIN tenants tenant ON tenant.id = legacy.tenant_id ORDER BY legacy.id
"""
#: Read as text, because Python may have no value for them; `legacy_runs.columns` parses them.
_TEXT_TYPES = ("timestamp", "timestamptz", "date", "json", "jsonb")


class OlderDatabase:
    """The rows of a table of an older installation, numbered from 1.

    The older system has the same tables, and `tenants` with an `external_id` and perhaps a
    `workspace_id`, which applies to rows that have none.

    Raises:
        psycopg.Error: the database cannot be reached, or has other tables.
    """

    def __init__(self, kind: str, address: str) -> None:
        self._address = address
        self._table = sql.Identifier(table_of(kind))
        self._columns = [column.name for column in COLUMNS[kind]]
        self._total = self._read = 0

    def __iter__(self) -> Iterator[Numbered]:
        with psycopg.connect(
            self._address, connect_timeout=10, client_encoding="utf8", prepare_threshold=None
        ) as older:
            self._prepare(older)
            with older.cursor("legacy", row_factory=dict_row) as cursor:
                cursor.itersize = FETCH_SIZE
                cursor.execute(sql.SQL(_ROWS).format(table=self._table))
                for self._read, row in enumerate(cursor, start=1):
                    workspace = row.get("workspace_id") or row["workspace_of_tenant"]
                    # A slug of the older system has no meaning here.
                    row |= {"workspace": None, "workspace_id": workspace}
                    yield self._read, {name: row.get(name) for name in self._columns}

    def share(self) -> float | None:
        if not self._total:
            return None
        return min(self._read / self._total, 1.0)

    def _prepare(self, older: psycopg.Connection[Any]) -> None:
        older.read_only = True
        for name in _TEXT_TYPES:
            older.adapters.register_loader(name, TextLoader)
        older.execute("SET LOCAL TIME ZONE 'UTC'")
        row = older.execute(sql.SQL("SELECT count(*) FROM {}").format(self._table)).fetchone()
        (self._total,) = row or (0,)
