"""The columns of the three tables, and how values of an older installation are parsed.

Pure functions: they convert texts (CSV) or values (a database) into values that PostgreSQL accepts,
or raise `Malformed` with the reason.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime

from legacy_runs.models import (
    FIRST_TIME,
    LAST_TIME,
    MAX_ID,
    TABLES,
    BackupScheduleRun,
    EntraGroupSyncRun,
    InventorySyncRun,
    LegacyRun,
)
from redaction.json import sanitize_json
from redaction.marks import TRUNCATED
from redaction.text import clean_text, sanitize_text

MAX_BIGINT = 2**63 - 1
MAX_JSON = 65536
#: The key of the fields of a CSV row that have no column in the header.
SURPLUS = "(surplus)"
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Raw = Mapping[str, Any]
Row = dict[str, Any]


class Malformed(ValueError):
    """A row cannot be imported; the message names the column and the cause, but quotes no value."""


@dataclass(frozen=True)
class Column:
    """A column, the PostgreSQL type that it is sent as, and the function that parses its value."""

    name: str
    sql: str
    parse: Callable[[Any], Any]
    required: bool = False


def _integer(maximum: int) -> Callable[[Any], int]:
    def parse_integer(value: Any) -> int:
        text = str(value).strip()
        if not _NUMBER.fullmatch(text) or int(text) > maximum:
            raise ValueError(f"not a number between 0 and {maximum}")
        return int(text)

    return parse_integer


def _time(value: Any) -> str:
    text = value.isoformat() if isinstance(value, dt.datetime) else str(value).strip()
    if "\x00" in text or len(text) > 40:
        raise ValueError("not a time")
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    # In the first and the last year, an offset could overflow the calendar.
    if at is None or not 1 < at.year < 9999:
        raise ValueError("not a time such as 2024-03-08T07:00:00Z")
    aware = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    if not FIRST_TIME <= aware < LAST_TIME:
        raise ValueError("not a time between 1970 and 2199")
    return aware.isoformat()


def _text(max_length: int) -> Callable[[Any], str]:
    """Parse free text: redact it, and cut it if it is too long."""

    def parse_text(value: Any) -> str:
        return sanitize_text(str(value), max_length=max_length)

    return parse_text


def _name(max_length: int) -> Callable[[Any], str]:
    """Parse an identifying text: keep it unchanged, or reject it if it is too long."""

    def parse_name(value: Any) -> str:
        text = identifier(value).strip()
        if len(text) > max_length:
            raise ValueError(f"longer than {max_length} characters")
        return text

    return parse_name


def identifier(value: Any) -> str:
    """Return a hash, a key or a status unchanged, except for characters that no column can store."""
    return clean_text(str(value), max_length=20_000)


def _json(value: Any) -> Any:
    try:
        value = json.loads(value) if isinstance(value, str) else value
        size = len(json.dumps(value))
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    # The sanitizer counts more than the JSON text; it must not cut a value that fits.
    cleaned = sanitize_json(value, max_bytes=4 * MAX_JSON)
    was_cut = TRUNCATED in json.dumps(cleaned) and TRUNCATED not in json.dumps(value)
    if size > MAX_JSON or was_cut:
        raise ValueError("larger than 64 KB, or too deep")
    return cleaned


def _guid(value: Any) -> str:
    text = str(value).strip().lower()
    if not _GUID.fullmatch(text):
        raise ValueError("not a GUID")
    return str(uuid.UUID(text))


_COMMON = (
    Column("id", "bigint", _integer(MAX_ID), required=True),
    Column("tenant_external_id", "uuid", _guid, required=True),
    # The slug here, or the number in the older installation.
    Column("workspace", "varchar", _name(60)),
    Column("workspace_id", "varchar", _name(60)),
    Column("operation_run_id", "bigint", _integer(MAX_BIGINT)),
    Column("status", "varchar", _name(64), required=True),
    Column("created_at", "timestamptz", _time, required=True),
    Column("started_at", "timestamptz", _time),
    Column("finished_at", "timestamptz", _time),
    Column("updated_at", "timestamptz", _time),
)


def _counts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "bigint", _integer(MAX_BIGINT)) for name in names)


COLUMNS: dict[str, tuple[Column, ...]] = {
    InventorySyncRun.KIND: (
        *_COMMON,
        Column("selection_hash", "varchar", _name(64), required=True),
        Column("selection_payload", "jsonb", _json),
        *_counts("items_observed_count", "items_upserted_count", "errors_count"),
    ),
    EntraGroupSyncRun.KIND: (
        *_COMMON,
        Column("selection_key", "varchar", _name(200), required=True),
        Column("slot_key", "varchar", _name(200)),
        Column("error_code", "varchar", _text(200)),
        Column("error_category", "varchar", _text(200)),
        Column("error_summary", "varchar", _text(2000)),
        *_counts("pages_fetched", "items_observed_count", "items_upserted_count", "error_count"),
    ),
    BackupScheduleRun.KIND: (
        *_COMMON,
        Column("backup_schedule_id", "bigint", _integer(MAX_BIGINT), required=True),
        Column("scheduled_for", "timestamptz", _time, required=True),
        Column("summary", "jsonb", _json),
        Column("error_code", "varchar", _text(200)),
        Column("error_message", "varchar", _text(2000)),
        Column("backup_set_id", "bigint", _integer(MAX_BIGINT)),
    ),
}
#: Columns for lookups; the table stores the result instead.
LOOKUP_COLUMNS = ("tenant_external_id", "workspace", "workspace_id", "operation_run_id")
#: Columns that identify rows and contain no secret: stored and shown unchanged.
IDENTIFIERS = frozenset({"selection_hash", "selection_key", "slot_key"})
#: The columns that `created_at` is taken from, in order of preference.
_CREATED_AT_SOURCES = ("created_at", "started_at", "scheduled_for")


def parse(kind: str, raw: Raw) -> Row:
    """Return a row's values by column; missing optional values are empty.

    Raises:
        Malformed: a required value is missing, or a value does not fit its column.
    """
    if raw.get(SURPLUS):
        raise Malformed("row: more fields than the header names")
    created_at = next((at for name in _CREATED_AT_SOURCES if (at := raw.get(name))), None)
    raw = {**raw, "created_at": created_at}
    return {column.name: _value(column, raw.get(column.name)) for column in COLUMNS[kind]}


def _value(column: Column, raw_value: Any) -> Any:
    if raw_value is None or raw_value == "":
        if column.required:
            raise Malformed(f"{column.name}: missing")
        if column.name.endswith(("_count", "_fetched")):
            return 0
        return "" if column.sql == "varchar" else None
    try:
        value = column.parse(raw_value)
    except ValueError as error:
        raise Malformed(f"{column.name}: {error}") from None
    if column.required and value == "":
        raise Malformed(f"{column.name}: empty")
    return value


def stored_columns(kind: str) -> list[Column]:
    """Return the columns that the table stores as they are in the source."""
    return [column for column in COLUMNS[kind] if column.name not in LOOKUP_COLUMNS]


def model_of(kind: str) -> type[LegacyRun]:
    """Return the model of a kind."""
    return TABLES[kind]


def table_of(kind: str) -> str:
    """Return the table name of a kind."""
    return TABLES[kind]._meta.db_table  # noqa: SLF001 - Django's own API
