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

from legacy_runs.models import BackupScheduleRun, EntraGroupSyncRun, InventorySyncRun, LegacyRun
from operations.sanitize import sanitize_json, sanitize_text

MAX_BIGINT = 2**63 - 1
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


def _integer(value: Any) -> int:
    text = str(value).strip()
    if not _NUMBER.fullmatch(text) or int(text) > MAX_BIGINT:
        raise ValueError("not a number between 0 and 2^63")
    return int(text)


def _time(value: Any) -> str:
    text = value.isoformat() if isinstance(value, dt.datetime) else str(value).strip()
    if "\x00" in text or len(text) > 40:
        raise ValueError("not a time")
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or not 1 < at.year < 9999:
        raise ValueError("not a time such as 2024-03-08T07:00:00Z")
    return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).isoformat()


def _text(max_length: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        return sanitize_text(str(value), max_length=max_length)

    return read


def _status(value: Any) -> str:
    text = sanitize_text(str(value), max_length=64).strip()
    if not text:
        raise ValueError("empty")
    return text


def _json(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > 1_000_000:
            raise ValueError("larger than 1 MB")
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
    return sanitize_json(value)


def _guid(value: Any) -> str:
    text = str(value).strip().lower()
    if not _GUID.fullmatch(text):
        raise ValueError("not a GUID")
    return str(uuid.UUID(text))


_ID = Column("id", "bigint", _integer, required=True)
_TENANT = Column("tenant_external_id", "uuid", _guid, required=True)
_WORKSPACE = Column("workspace", "varchar", _text(60))
_COMMON = (
    _ID,
    _TENANT,
    _WORKSPACE,
    Column("operation_run_id", "bigint", _integer),
    Column("status", "varchar", _status, required=True),
    Column("created_at", "timestamptz", _time, required=True),
    Column("started_at", "timestamptz", _time),
    Column("finished_at", "timestamptz", _time),
)


def _counts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "bigint", _integer) for name in names)


COLUMNS: dict[str, tuple[Column, ...]] = {
    InventorySyncRun.KIND: (
        *_COMMON,
        Column("selection_hash", "varchar", _text(64), required=True),
        Column("selection_payload", "jsonb", _json),
        *_counts("items_observed_count", "items_upserted_count", "errors_count"),
    ),
    EntraGroupSyncRun.KIND: (
        *_COMMON,
        Column("selection_key", "varchar", _text(200), required=True),
        Column("slot_key", "varchar", _text(200)),
        Column("error_code", "varchar", _text(200)),
        Column("error_category", "varchar", _text(200)),
        Column("error_summary", "varchar", _text(2000)),
        *_counts("pages_fetched", "items_observed_count", "items_upserted_count", "error_count"),
    ),
    BackupScheduleRun.KIND: (
        *_COMMON,
        Column("backup_schedule_id", "bigint", _integer, required=True),
        Column("scheduled_for", "timestamptz", _time, required=True),
        Column("summary", "jsonb", _json),
        Column("error_code", "varchar", _text(200)),
        Column("error_message", "varchar", _text(2000)),
        Column("backup_set_id", "bigint", _integer),
    ),
}
#: Looked up rather than stored.
LOOKED_UP = ("tenant_external_id", "workspace", "operation_run_id")


def parse(kind: str, raw: Raw) -> Row:
    """A row's values by column; what is not given is empty.

    Raises:
        Malformed: a value is missing, or cannot be what its column holds.
    """
    return {column.name: _value(column, raw.get(column.name)) for column in COLUMNS[kind]}


def _value(column: Column, value: Any) -> Any:
    if value is None or value == "":
        if column.required:
            raise Malformed(f"{column.name}: missing")
        return _empty(column)
    try:
        return column.read(value)
    except ValueError as error:
        raise Malformed(f"{column.name}: {error}") from None


def _empty(column: Column) -> Any:
    if column.name.endswith(("_count", "_fetched")):
        return 0
    optional = column.sql != "varchar"
    return None if optional else ""


def stored(kind: str) -> list[Column]:
    """The columns of the table itself."""
    return [column for column in COLUMNS[kind] if column.name not in LOOKED_UP]


def model_of(kind: str) -> type[LegacyRun]:
    """The model of a kind."""
    from legacy_runs.models import TABLES

    return TABLES[kind]
