"""Numbered pages for lists in the order of their names.

Newest-first lists that grow without end have keyset pages instead: `web.keyset`.
"""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

#: Nobody turns more pages than this; the filter is the way to what comes after.
MAX_ROWS = 10_000


class CappedPaginator(Paginator[Any]):
    """Counts no further than `MAX_ROWS`, and ends there."""

    @cached_property
    def found(self) -> int:
        """How many rows there are, up to one more than the cap."""
        rows: Any = self.object_list
        return int(rows.order_by()[: MAX_ROWS + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.found, MAX_ROWS)

    @property
    def count_text(self) -> str:
        """How many rows there are, for people: “1,204”, “10,000+”."""
        return f"{MAX_ROWS:,}+" if self.found > MAX_ROWS else f"{self.found:,}"


def numbered_page(rows: QuerySet[Any], number: str | None, *, size: int = 50) -> Page[Any]:
    """The page of that number; the nearest one if there is no such page."""
    return CappedPaginator(rows, size).get_page(number)
