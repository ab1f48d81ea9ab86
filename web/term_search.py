"""The rows of a long list that satisfy rare conditions, newest first, found by an index of terms.

No index has both the order of the list and the rows with a text. Therefore the nearest rows are
compared first, `COMPARED` for each one that is listed. If fewer of them satisfy the conditions, so
few rows do that the index of terms finds all of them quickly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.lookups import DataContains
from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual

from web.keyset import (
    COUNT_CAP,
    NEWEST_FIRST,
    PAGE_SIZE,
    Order,
    Page,
    count_text,
    first_rows,
    in_order,
    page_of,
)

R = TypeVar("R", bound=QuerySet[Any])

#: The rows that are compared for each one that is listed.
COMPARED = 160
#: The index has no shorter texts: they are compared with row after row.
SHORTEST_TERM = 3
_TERMS: ArrayField[Any, Any] = ArrayField(TextField())


def having_terms(
    function: str, columns: Iterable[str], text: str, *others: str, whole: str = ""
) -> Q:
    """Return the condition of the index of a function: more rows satisfy it than have the text.

    The function returns the terms of these columns. The rows have each three adjacent characters of
    the text, or its term as a `whole`, and the `others`.
    """
    terms = Func(*map(F, columns), function=function, output_field=_TERMS)
    of_text: Any = Func(Value(text), function="search_trigrams", output_field=_TERMS)
    if others:
        of_others = Value(list(others), _TERMS)
        of_text = Func(of_text, of_others, function="array_cat", output_field=_TERMS)
    condition = Q(DataContains(terms, of_text))
    if whole:
        condition |= Q(DataContains(terms, Value([whole, *others], _TERMS)))
    return condition


@dataclass(frozen=True)
class TermSearch(Generic[R]):
    """The rows of `scope` that satisfy the conditions.

    `has_terms` is the condition of the index, which more rows than those satisfy; without it, an
    index has the rows in the order of the list.
    """

    scope: R
    conditions: Q
    has_terms: Q | None = None

    def page(self, loaded: R, *, newer: str = "", older: str = "") -> Page[Any]:
        """Return a page; `loaded` is the scope with the related objects that the page needs.

        Raises:
            BadCursor: the text is not a complete cursor.
        """

        def fetch(rows: R, order: Order, count: int) -> list[Any]:
            is_first = not (newer or older)
            nearest = self._first_nearest if is_first else self._nearest(rows, order, count)
            return self._fetch(rows, order, count, nearest)

        return page_of(loaded, newer=newer, older=older, fetch=fetch)

    def fetch(self, rows: R, order: Order, count: int) -> list[Any]:
        """Return the first of these rows, which are those of the scope or a part of them."""
        return self._fetch(rows, order, count, self._nearest(rows, order, count))

    def count(self) -> str:
        """Return the number of rows as text, such as “12”, “31+” or “1,000+”."""
        listed = self.scope.filter(self.conditions)
        if self._first_nearest is None or self.has_terms is None:
            # In the order of an index: without an order, the table could be scanned.
            return count_text(in_order(listed)[: COUNT_CAP + 1].count())
        counted = in_order(listed.filter(self._first_nearest))[: COUNT_CAP + 1].count()
        if counted > PAGE_SIZE:
            return count_text(min(counted, COUNT_CAP)) + "+"
        return count_text(listed.filter(self.has_terms)[: COUNT_CAP + 1].count())

    def _fetch(self, rows: R, order: Order, count: int, nearest: Q | None) -> list[Any]:
        matching = rows.filter(self.conditions)
        if nearest is None or self.has_terms is None:
            return first_rows(matching, order, count)
        first = first_rows(matching.filter(nearest), order, count)
        if len(first) == count:
            return first
        # No index has this order, so that PostgreSQL does not search in the order of one.
        by_value = replace(order, value=order.value + Value(dt.timedelta(0)))
        return first_rows(matching.filter(self.has_terms), by_value, count)

    @cached_property
    def _first_nearest(self) -> Q | None:
        """The nearest rows of the first page, which the count compares as well."""
        return self._nearest(self.scope, NEWEST_FIRST, PAGE_SIZE + 1)

    def _nearest(self, rows: R, order: Order, count: int) -> Q | None:
        """Return the condition of the nearest rows; None if there are no others, or no terms."""
        if self.has_terms is None:
            return None
        last = COMPARED * count - 1
        at = in_order(rows.order_by(), order).values_list(order.value, flat=True)
        if not (place := list(at[last : last + 1])):
            return None
        is_before = GreaterThanOrEqual if order.descending else LessThanOrEqual
        return Q(is_before(order.value, Value(place[0])))
