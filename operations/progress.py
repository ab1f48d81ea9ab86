"""What a running operation reports in one go, and the guarded SQL that writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from operations.counts import MAX_META_TEXT, validate_increments
from operations.events import Event
from operations.failures import Failure
from operations.reasons import SafeError
from operations.states import ItemOutcome
from redaction.text import clean_text, sanitize_text


@dataclass(frozen=True)
class ItemResult:
    """What became of one item. `key` names it within the run; `link` is a path of this site."""

    key: str
    outcome: ItemOutcome
    label: str = ""
    error: SafeError | None = None
    link: str = ""

    def row(self) -> dict[str, Any]:
        """The columns of the item."""
        return {
            "key": clean_text(self.key, max_length=300),
            "label": sanitize_text(self.label, max_length=300),
            "outcome": self.outcome,
            "reason_code": self.error.code if self.error else "",
            "message": self.error.message if self.error else "",
            "request_id": self.error.request_id if self.error else "",
            "link": self.link[:300],
        }


@dataclass(frozen=True)
class Progress:
    """A batch of news about a running run; every part may be empty."""

    increments: Mapping[str, int] = field(default_factory=dict)
    meta: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    items: Sequence[ItemResult] = ()
    failures: Sequence[Failure] = ()
    events: Sequence[Event] = ()


def write_progress(run_id: int, progress: Progress) -> bool | None:
    """Add the counts and the meta facts to a running run in one atomic statement.

    Returns whether somebody has asked it to stop, or None if it is not running any more. It renews
    the lease too: a worker that writes is alive.
    """
    new_counts, values = _counts_expression(progress)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE operation_runs SET {new_counts} heartbeat_at = clock_timestamp(), "  # noqa: S608
            "updated_at = clock_timestamp() WHERE id = %s AND status = 'running' "
            "RETURNING cancel_requested_at",
            [*values, run_id],
        )
        row = cursor.fetchone()
    return None if row is None else row[0] is not None


def _counts_expression(progress: Progress) -> tuple[str, list[Any]]:
    """`summary_counts = …,` and its parameters; keys are checked against the known ones."""
    increments = validate_increments(progress.increments)
    parts: list[str] = []
    values: list[Any] = []
    for key, value in increments.items():
        parts.append(f"'{key}', COALESCE((summary_counts->>'{key}')::bigint, 0) + %s::bigint")
        values.append(value)
    if progress.meta:
        parts.append("'meta', COALESCE(summary_counts->'meta', '{}'::jsonb) || %s::jsonb")
        values.append(json.dumps(_clean_meta(progress.meta)))
    if not parts:
        return "", []
    return f"summary_counts = summary_counts || jsonb_build_object({', '.join(parts)}),", values


def _clean_meta(meta: Mapping[str, str | int | bool | None]) -> dict[str, Any]:
    return {
        sanitize_text(key, max_length=40): sanitize_text(value, max_length=MAX_META_TEXT)
        if isinstance(value, str)
        else value
        for key, value in meta.items()
    }


_WRITE_ITEMS = """
INSERT INTO operation_run_items (run_id, key, label, outcome, reason_code, message, request_id,
                                 link, at)
SELECT %s, key, label, outcome, reason_code, message, request_id, link, clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS item(
    position int, key text, label text, outcome text, reason_code text, message text,
    request_id text, link text)
ORDER BY position
ON CONFLICT (run_id, key) DO UPDATE SET
    label = excluded.label, outcome = excluded.outcome, reason_code = excluded.reason_code,
    message = excluded.message, request_id = excluded.request_id, link = excluded.link,
    at = excluded.at
"""


def write_items(run_id: int, items: Sequence[ItemResult]) -> None:
    """Write a batch of items in one statement; the last word on a key holds."""
    if not items:
        return
    last = {row["key"]: row for row in map(ItemResult.row, items)}
    rows = [{"position": at, **row} for at, row in enumerate(last.values())]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_ITEMS, [run_id, json.dumps(rows)])
