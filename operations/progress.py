"""The progress that a running operation reports in one batch, and the SQL that writes it."""

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
from tenancy.db import run_prepared


@dataclass(frozen=True)
class ItemResult:
    """The outcome of one item. `key` identifies it within the run; `link` is a path of this site."""

    key: str
    outcome: ItemOutcome
    label: str = ""
    error: SafeError | None = None
    link: str = ""

    def row(self) -> dict[str, Any]:
        """Return the columns of the item."""
        row = {
            "key": clean_text(self.key, max_length=300),
            "label": sanitize_text(self.label, max_length=300),
            "outcome": self.outcome,
            "reason_code": "",
            "message": "",
            "request_id": "",
            "link": self.link[:300],
        }
        if self.error:
            row["reason_code"] = self.error.code
            row["message"] = self.error.message
            row["request_id"] = self.error.request_id
        return row


@dataclass(frozen=True)
class Progress:
    """A batch of reports from a running run; each field may be empty."""

    increments: Mapping[str, int] = field(default_factory=dict)
    meta: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    items: Sequence[ItemResult] = ()
    failures: Sequence[Failure] = ()
    events: Sequence[Event] = ()

    @property
    def is_one_statement(self) -> bool:
        """Whether it changes nothing but the row of the run."""
        return not (self.items or self.failures or self.events)


# Found by its key, as in `services.py`.
_WRITE_PROGRESS = """
UPDATE operation_runs
SET {new_counts} heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %s AND status COLLATE "C" = 'running'
RETURNING cancel_requested_at
"""


def write_progress(run_id: int, progress: Progress) -> bool | None:
    """Add the counts and the meta facts to a running run in one atomic statement.

    It also renews the lease, because a worker that writes is alive.

    Returns:
        Whether cancellation was requested, or None if the run is no longer running.
    """
    new_counts, values = _counts_expression(progress)
    rows = run_prepared(_WRITE_PROGRESS.format(new_counts=new_counts), [*values, run_id])
    return rows[0][0] is not None if rows else None


def _counts_expression(progress: Progress) -> tuple[str, list[Any]]:
    """Return `summary_counts = …,` and its parameters; only known keys are accepted."""
    increments = validate_increments(progress.increments)
    pairs: list[str] = []
    values: list[Any] = []
    for key, value in increments.items():
        pairs.append(f"'{key}', COALESCE((summary_counts->>'{key}')::bigint, 0) + %s::bigint")
        values.append(value)
    if progress.meta:
        pairs.append("'meta', COALESCE(summary_counts->'meta', '{}'::jsonb) || %s::jsonb")
        values.append(json.dumps(_clean_meta(progress.meta)))
    if not pairs:
        return "", []
    return f"summary_counts = summary_counts || jsonb_build_object({', '.join(pairs)}),", values


def _clean_meta(meta: Mapping[str, str | int | bool | None]) -> dict[str, Any]:
    cleaned: dict[str, Any] = {}
    for key, value in meta.items():
        cleaned_key = sanitize_text(key, max_length=40)
        if isinstance(value, str):
            cleaned[cleaned_key] = sanitize_text(value, max_length=MAX_META_TEXT)
        else:
            cleaned[cleaned_key] = value
    return cleaned


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
    """Write a batch of items in one statement; the last report of a key replaces earlier ones."""
    if not items:
        return
    rows_by_key = {row["key"]: row for row in map(ItemResult.row, items)}
    rows = [{"position": at, **row} for at, row in enumerate(rows_by_key.values())]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE_ITEMS, [run_id, json.dumps(rows)])
