"""The rows of a long list that satisfy rare conditions, newest first, found by an index of terms.

No index has both the order of the list and the rows with a text. Therefore the nearest rows are
compared first, `COMPARED` for each one that is listed. If fewer of them satisfy the conditions, so
few rows do that the index of terms finds all of them quickly. It is asked for the rarest terms
alone: a frequent one has as many rows as the list is long, and all of them would be read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.lookups import DataContains
from django.db import connection
from django.db.models import F, Func, Q, QuerySet, TextField, Value

from web.keyset import (
    COUNT_CAP,
    NEWEST_FIRST,
    PAGE_SIZE,
    Order,
    Page,
    count_text,
    first_rows,
    having_ids,
    in_order,
    page_of,
    up_to,
)

R = TypeVar("R", bound=QuerySet[Any])

#: The rows that are compared for each one that is listed.
COMPARED = 160
#: The index has no shorter texts: they are compared with row after row.
SHORTEST_TERM = 3
_TERMS: ArrayField[Any, Any] = ArrayField(TextField())


@dataclass(frozen=True)
class TermIndex:
    """An index of the terms that a function returns for the values of these columns."""

    name: str
    function: str
    columns: tuple[str, ...]

    def having(self, text: str, *others: str, whole: str = "") -> Q:
        """Return a condition for which the index is read: more rows satisfy it than have the text.

        Those rows have each three adjacent characters of the text, or its term as a `whole`, and the
        `others`. Of these terms, the condition has the rarest.
        """
        terms = Func(*map(F, self.columns), function=self.function, output_field=_TERMS)
        condition = Q(DataContains(terms, Value(self._rare_terms(text, others), _TERMS)))
        if whole:
            condition |= Q(DataContains(terms, Value([whole, *others], _TERMS)))
        return condition

    def _rare_terms(self, text: str, others: Sequence[str]) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(_RARE_TERMS, [self.name, text, list(others)])
            rare: list[str] = cursor.fetchone()[0]
        return rare


_RARE_TERMS = "SELECT search_rare_terms(%s, search_trigrams(%s) || %s::text[])"


@dataclass(frozen=True)
class TermSearch(Generic[R]):
    """The rows of `scope` that satisfy the conditions.

    `having_terms` returns the condition of the index, which more rows than those satisfy; without
    it, an index has the rows in the order of the list.
    """

    scope: R
    conditions: Q
    having_terms: Callable[[], Q] | None = None

    def page(self, loaded: R, *, newer: str = "", older: str = "") -> Page[Any]:
        """Return a page; `loaded` is the scope with the related objects that the page needs.

        Raises:
            BadCursor: the text is not a complete cursor.
        """

        def first(rows: R, _: Order, count: int) -> list[Any]:
            return _load(rows, self._first[0][:count])

        has_first = self.having_terms and not (newer or older)
        return page_of(loaded, newer=newer, older=older, fetch=first if has_first else self.fetch)

    def fetch(self, rows: R, order: Order, count: int) -> list[Any]:
        """Return the first of these rows, which are those of the scope or a part of them."""
        if self.having_terms is None:
            return first_rows(rows.filter(self.conditions), order, count)
        return _load(rows, self._ids(rows, order, count, compared=COMPARED * count)[0])

    def count(self) -> str:
        """Return the number of rows as text, such as “12”, “31+” or “1,000+”."""
        if self.having_terms is None:
            # In the order of an index: without an order, the table could be scanned.
            listed = in_order(self.scope.filter(self.conditions))
            return count_text(listed[: COUNT_CAP + 1].count())
        ids, are_all = self._first
        return count_text(len(ids)) if are_all else f"{min(len(ids), COUNT_CAP):,}+"

    @cached_property
    def _first(self) -> tuple[list[int], bool]:
        """The ids of the first rows, for the first page and for the count."""
        return self._ids(
            self.scope,
            NEWEST_FIRST,
            COUNT_CAP + 1,
            compared=COMPARED * (PAGE_SIZE + 1),
            enough=PAGE_SIZE + 1,
        )

    def _ids(
        self, rows: R, order: Order, count: int, *, compared: int, enough: int | None = None
    ) -> tuple[list[int], bool]:
        """Return the ids of the first of these rows, and whether no other rows could be among them.

        If `enough` of the nearest rows satisfy the conditions, only those are returned.
        """
        matching = rows.filter(self.conditions)
        at = in_order(rows.order_by(), order).values_list(order.value, flat=True)
        if not (place := list(at[compared - 1 : compared])):
            return _first_ids(matching, order, count), True
        ids = _first_ids(up_to(matching, order, place[0]), order, count)
        if len(ids) >= (enough or count):
            return ids, False
        # No index has this order, so that PostgreSQL does not search in the order of one.
        by_value = replace(order, value=order.value + Value(dt.timedelta(0)))
        return _first_ids(matching.filter(self._has_terms), by_value, count), True

    @cached_property
    def _has_terms(self) -> Q:
        return self.having_terms() if self.having_terms else Q()


def _first_ids(rows: QuerySet[Any], order: Order, count: int) -> list[int]:
    return list(in_order(rows, order).values_list("pk", flat=True)[:count])


def _load(rows: QuerySet[Any], ids: Sequence[int]) -> list[Any]:
    """Return the rows with these ids, in their order: joined rows are loaded only for a page."""
    return sorted(having_ids(rows.order_by(), ids), key=lambda row: ids.index(row.pk))
