"""Numbered pages for lists in the order of their names.

Newest-first lists that grow without end have keyset pages instead: `web.keyset`.
"""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

#: Later rows are found with the filter.
MAX_ROWS = 10_000


class CappedPaginator(Paginator[Any]):
    """Counts and shows at most `MAX_ROWS`."""

    @cached_property
    def row_count(self) -> int:
        """The number of rows, at most one more than `MAX_ROWS`."""
        rows: Any = self.object_list
        if isinstance(rows, list):
            return len(rows)
        return int(rows.order_by()[: MAX_ROWS + 1].count())

    @cached_property
    def count(self) -> int:
        return min(self.row_count, MAX_ROWS)

    @property
    def count_text(self) -> str:
        """The number of rows as text: “1,204”, “10,000+”."""
        if self.row_count > MAX_ROWS:
            return f"{MAX_ROWS:,}+"
        return f"{self.row_count:,}"


def numbered_page(
    rows: QuerySet[Any] | list[Any], number: str | None, *, size: int = 50
) -> Page[Any]:
    """Return the page with this number, or the nearest one."""
    return CappedPaginator(rows, size).get_page(number)


def has_rows(rows: Page[Any], unfiltered: QuerySet[Any]) -> bool:
    """Whether a list has rows without its filter; only an empty page asks the database."""
    return bool(rows) or unfiltered.exists()
