"""Keyset pages over a view of several tables."""

from __future__ import annotations

from typing import Any

from operations.paging import Page, Place, page_of


def page_of_entries(rows: Any, *, newer: str = "", older: str = "") -> Page:
    """A page of `operations.paging`. The time alone is compared as well, because that is what the
    index of each table can answer; the number of a row belongs to the view.

    Raises:
        BadCursor: a cursor that was not made here.
    """
    if newer:
        rows = rows.filter(created_at__gte=Place.parse(newer).at)
    elif older:
        rows = rows.filter(created_at__lte=Place.parse(older).at)
    return page_of(rows, newer=newer, older=older)
