"""Lists as CSV: streamed completely, and safe to open in a spreadsheet.

A file that is not complete says so on its last line: the client cannot see that a stream has ended
early.
"""

from __future__ import annotations

import csv
import datetime as dt
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from web.csv_cells import safe_cell
from web.keyset import NEWEST_FIRST, Fetch, Order, Place, first_rows, older_than
from web.statement_timeout import TookTooLong, statement_timeout

log = logging.getLogger(__name__)

ROWS_READ = 500
EXPORT_SECONDS = 30.0
INTERRUPTED = "NOT COMPLETE: the export was interrupted. Try it again."

#: The heading of each column, and the path of its attribute or a function of the row.
Columns = Mapping[str, str | Callable[[Any], object]]


def csv_response(
    rows: QuerySet[Any],
    *,
    file_name: str,
    headings: Sequence[str],
    cells: Callable[[Any], Sequence[object]],
    order: Order = NEWEST_FIRST,
    fetch: Fetch = first_rows,
) -> StreamingHttpResponse:
    """Return all rows of a keyset list in an order; `cells` are those of a row."""
    pages = _pages(rows, order, fetch)
    return stream(pages, file_name=file_name, headings=headings, cells=cells)


def csv_of_list(rows: QuerySet[Any], *, file_name: str, columns: Columns) -> StreamingHttpResponse:
    """Return all rows of any list in its order."""
    readers = [attrgetter(path) if isinstance(path, str) else path for path in columns.values()]

    def cells(row: Any) -> list[object]:
        return [_text(read(row)) for read in readers]

    return stream(_chunks(rows), file_name=file_name, headings=list(columns), cells=cells)


def stream(
    batches: Iterable[Sequence[Any]],
    *,
    file_name: str,
    headings: Sequence[str],
    cells: Callable[[Any], Sequence[object]],
) -> StreamingHttpResponse:
    """Return the rows of these batches."""
    lines = _lines(batches, headings, cells)
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
    batches: Iterable[Sequence[Any]],
    headings: Sequence[str],
    cells: Callable[[Any], Sequence[object]],
) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(headings)
    try:
        for batch in batches:
            for row in batch:
                yield writer.writerow([safe_cell(cell) for cell in cells(row)])
    except (TookTooLong, DatabaseError):
        log.exception("export interrupted")
        yield writer.writerow([INTERRUPTED])


# Page by page: no query and no transaction stays open while the client reads.


def _pages(rows: QuerySet[Any], order: Order, fetch: Fetch) -> Iterator[list[Any]]:
    remaining = rows
    while True:
        with statement_timeout(EXPORT_SECONDS):
            page = fetch(remaining, order, ROWS_READ)
        yield page
        if len(page) < ROWS_READ:
            return
        remaining = older_than(rows, Place.of(page[-1], order))


def _chunks(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    with statement_timeout(EXPORT_SECONDS):
        ids = list(rows.values_list("pk", flat=True))
    for start in range(0, len(ids), ROWS_READ):
        chunk = ids[start : start + ROWS_READ]
        with statement_timeout(EXPORT_SECONDS):
            by_id = {row.pk: row for row in rows.order_by().filter(pk__in=chunk)}
        yield [by_id[pk] for pk in chunk if pk in by_id]


def _text(value: object) -> object:
    if isinstance(value, dt.datetime):
        return moment_cell(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value
