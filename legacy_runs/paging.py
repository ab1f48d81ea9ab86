"""Keyset pages over a view of several tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from legacy_runs.models import TABLES
from operations.models import OperationRun
from web.keyset import Page, Place, page_of


def page_of_entries(rows: Any, *, newer: str = "", older: str = "") -> Page[Any]:
    """A page of `web.keyset`. The time alone is compared as well, because that is what the
    index of each table can answer; the number of a row belongs to the view.

    Raises:
        BadCursor: a cursor that was not made here.
    """
    if newer:
        rows = rows.filter(created_at__gte=Place.parse(newer).at)
    elif older:
        rows = rows.filter(created_at__lte=Place.parse(older).at)
    return page_of(rows, newer=newer, older=older)


def in_full(entries: Iterable[Any]) -> list[Any]:
    """The runs and legacy runs that stand behind the entries, in their order; one query a table.

    What was removed in between is left out.
    """
    entries = list(entries)
    wanted: dict[str, list[int]] = {}
    for entry in entries:
        wanted.setdefault(entry.kind, []).append(entry.own_id)
    found = {kind: _rows(kind).in_bulk(ids) for kind, ids in wanted.items()}
    return [row for entry in entries if (row := found[entry.kind].get(entry.own_id))]


def _rows(kind: str) -> Any:
    model: Any = TABLES.get(kind, OperationRun)
    return model.objects.with_scope()
