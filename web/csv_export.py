"""A list as CSV: streamed, limited, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from web.csv_cells import safe_cell
from web.keyset import Place, older_than
from web.statement_timeout import statement_timeout

MAX_ROWS = 10_000
ROWS_READ = 500
EXPORT_SECONDS = 30.0


def csv_response(
    rows: QuerySet[Any],
    *,
    file_name: str,
    headings: Sequence[str],
    cells: Callable[[Any], Sequence[object]],
) -> StreamingHttpResponse:
    """Return at most 10,000 rows with `created_at`, newest first; `cells` are those of a row."""
    lines = _lines(rows, headings, cells)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def moment_cell(at: dt.datetime | None) -> str:
    """Return a time in UTC as a cell."""
    return at.astimezone(dt.UTC).isoformat(timespec="seconds") if at else ""


class _Echo:
    def write(self, line: str) -> str:
        return line


def _lines(
    rows: QuerySet[Any], headings: Sequence[str], cells: Callable[[Any], Sequence[object]]
) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(headings)
    remaining = rows.order_by("-created_at", "-id")
    # Page by page: no query and no transaction stays open while the client reads.
    for _ in range(0, MAX_ROWS, ROWS_READ):
        with statement_timeout(EXPORT_SECONDS):
            page = list(remaining[:ROWS_READ])
        for row in page:
            yield writer.writerow([safe_cell(cell) for cell in cells(row)])
        if len(page) < ROWS_READ:
            return
        remaining = older_than(rows, Place.of(page[-1])).order_by("-created_at", "-id")
