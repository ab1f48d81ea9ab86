"""Keyset pages over a view of several tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from legacy_runs.models import TABLES
from operations.models import OperationRun
from web.csv_export import EXPORT_SECONDS, ROWS_READ
from web.keyset import PAGE_SIZE, Page, Place, page_of
from web.statement_timeout import statement_timeout


def page_of_entries(
    rows: Any, *, newer: str = "", older: str = "", size: int = PAGE_SIZE
) -> Page[Any]:
    """Return a keyset page of entries.

    It compares the time alone as well: the index of each table can answer that, while the id of an
    entry exists only in the view.

    Raises:
        BadCursor: the cursor is invalid.
    """
    if newer:
        rows = rows.filter(created_at__gte=Place.parse(newer).at)
    elif older:
        rows = rows.filter(created_at__lte=Place.parse(older).at)
    return page_of(rows, newer=newer, older=older, size=size)


def batches_of_entries(rows: Any) -> Iterator[list[Any]]:
    """Yield all entries for an export, newest first; no query stays open between the batches."""
    older = ""
    while True:
        with statement_timeout(EXPORT_SECONDS):
            page = page_of_entries(rows, older=older, size=ROWS_READ)
        yield page.rows
        if not page.older:
            return
        older = page.older


def load_rows(entries: Iterable[Any]) -> list[Any]:
    """Load the runs and legacy runs of the entries, in their order, with one query per table.

    Rows that have been removed in the meantime are left out.
    """
    entries = list(entries)
    ids_by_kind: dict[str, list[int]] = {}
    for entry in entries:
        ids_by_kind.setdefault(entry.kind, []).append(entry.own_id)
    rows: dict[tuple[str, int], Any] = {}
    for kind, ids in ids_by_kind.items():
        model: Any = TABLES.get(kind, OperationRun)
        for pk, row in model.objects.with_scope().in_bulk(ids).items():
            rows[kind, pk] = row
    return [row for entry in entries if (row := rows.get((entry.kind, entry.own_id)))]
