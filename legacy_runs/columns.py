"""What each of the three tables takes, and how a text of an older installation becomes a value.

Pure: from texts (CSV) or values (a database) to values that Postgres accepts, or a reason why not.
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
#: What a reader of CSV calls the fields of a row that stand beyond the header.
SURPLUS = "(surplus)"
_NUMBER = re.compile(r"[0-9]{1,19}", re.ASCII)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Raw = Mapping[str, Any]
Row = dict[str, Any]


class Malformed(ValueError):
    """A row cannot be taken; the text says which column and why, and quotes nothing of it."""


@dataclass(frozen=True)
class Column:
    """A column, the Postgres type it is sent as, and how its value is read."""

    name: str
    sql: str
    read: Callable[[Any], Any]
    required: bool = False


def _integer(most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = str(value).strip()
        if not _NUMBER.fullmatch(text) or int(text) > most:
            raise ValueError(f"not a number between 0 and {most}")
        return int(text)

    return read


def _time(value: Any) -> str:
    text = value.isoformat() if isinstance(value, dt.datetime) else str(value).strip()
    if "\x00" in text or len(text) > 40:
        raise ValueError("not a time")
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    # Beyond these years an offset could lead out of the calendar.
    if at is None or not 1 < at.year < 9999:
        raise ValueError("not a time such as 2024-03-08T07:00:00Z")
    aware = at if at.tzinfo else at.replace(tzinfo=dt.UTC)
    if not FIRST_TIME <= aware < LAST_TIME:
        raise ValueError("not a time between 1970 and 2199")
    return aware.isoformat()


def _text(max_length: int) -> Callable[[Any], str]:
    """A text that may say anything: redacted, and cut where it is too long."""

    def read(value: Any) -> str:
        return sanitize_text(str(value), max_length=max_length)

    return read


def _name(max_length: int) -> Callable[[Any], str]:
    """A text that tells rows apart: kept to the letter, or refused."""

    def read(value: Any) -> str:
        text = identifier(value).strip()
        if len(text) > max_length:
            raise ValueError(f"longer than {max_length} characters")
        return text

    return read


def identifier(value: Any) -> str:
    """A hash, a key or a status as it is, without what no column can hold."""
    return clean_text(str(value), max_length=20_000)


def _json(value: Any) -> Any:
    try:
        value = json.loads(value) if isinstance(value, str) else value
        size = len(json.dumps(value))
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    # Room for what the sanitizer counts besides: it must not cut a value that fits.
    cleaned = sanitize_json(value, max_bytes=4 * MAX_JSON)
    if size > MAX_JSON or _was_cut(value, cleaned):
        raise ValueError("larger than 64 KB, or too deep")
    return cleaned


def _was_cut(value: Any, cleaned: Any) -> bool:
    return TRUNCATED in json.dumps(cleaned) and TRUNCATED not in json.dumps(value)


def _guid(value: Any) -> str:
    text = str(value).strip().lower()
    if not _GUID.fullmatch(text):
        raise ValueError("not a GUID")
    return str(uuid.UUID(text))


_COMMON = (
    Column("id", "bigint", _integer(MAX_ID), required=True),
    Column("tenant_external_id", "uuid", _guid, required=True),
    # Our slug, or the number that the older installation gave it.
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
#: Looked up rather than stored.
LOOKED_UP = ("tenant_external_id", "workspace", "workspace_id", "operation_run_id")
#: Kept and shown to the letter: what tells rows apart, and holds no secret.
IDENTIFIERS = frozenset({"selection_hash", "selection_key", "slot_key"})
#: What else says when a row was made, where the older system did not.
_MADE_AT = ("created_at", "started_at", "scheduled_for")


def parse(kind: str, raw: Raw) -> Row:
    """A row's values by column; what is not given is empty.

    Raises:
        Malformed: a value is missing, or cannot be what its column holds.
    """
    if raw.get(SURPLUS):
        raise Malformed("row: more fields than the header names")
    made_at = next((at for name in _MADE_AT if (at := raw.get(name))), None)
    given = {**raw, "created_at": made_at}
    return {column.name: _value(column, given.get(column.name)) for column in COLUMNS[kind]}


def _value(column: Column, value: Any) -> Any:
    if value is None or value == "":
        if column.required:
            raise Malformed(f"{column.name}: missing")
        return _empty(column)
    try:
        found = column.read(value)
    except ValueError as error:
        raise Malformed(f"{column.name}: {error}") from None
    if column.required and found == "":
        raise Malformed(f"{column.name}: empty")
    return found


def _empty(column: Column) -> Any:
    if column.name.endswith(("_count", "_fetched")):
        return 0
    return "" if column.sql == "varchar" else None


def stored(kind: str) -> list[Column]:
    """The columns of the table itself."""
    return [column for column in COLUMNS[kind] if column.name not in LOOKED_UP]


def model_of(kind: str) -> type[LegacyRun]:
    """The model of a kind."""
    return TABLES[kind]


def table_of(kind: str) -> str:
    """The name of its table."""
    return TABLES[kind]._meta.db_table  # noqa: SLF001 - Django's own API
