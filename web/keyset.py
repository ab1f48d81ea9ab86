"""Keyset pages over `(created_at, id)` or another indexed order; a cursor is the place between two rows.

The comparison is a row value, `(created_at, id) < (x, y)`, which PostgreSQL answers from the index.
The equivalent condition with OR reads half the table.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

from django.db.models import (
    BigIntegerField,
    BooleanField,
    DateTimeField,
    DurationField,
    Expression,
    F,
    Func,
    Model,
    QuerySet,
    Value,
)
from django.db.models.expressions import RawSQL
from django.db.models.lookups import (
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)

M = TypeVar("M", bound=Model)
Q = TypeVar("Q", bound=QuerySet[Any])

PAGE_SIZE = 30
COUNT_CAP = 1000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)
_PLACE = re.compile(rb"([a-z-]*)([0-9]{1,17})\.([0-9]{1,19})")
_MICROSECOND = dt.timedelta(microseconds=1)


class BadCursor(ValueError):
    """The text is not a complete cursor of this module."""


@dataclass(frozen=True)
class Order:
    """An order of rows: by a time or a duration, then by id.

    `name` is part of the cursors, which no other order accepts. `value` is what the index has, and
    `of` returns it of a row.
    """

    name: str
    value: F | Expression
    of: Callable[[Any], dt.datetime | dt.timedelta]
    descending: bool = True
    is_duration: bool = False


NEWEST_FIRST = Order("", F("created_at"), attrgetter("created_at"))


@dataclass(frozen=True)
class Place:
    """Where a page begins or ends."""

    at: dt.datetime | dt.timedelta
    id: int
    order: Order = NEWEST_FIRST

    @classmethod
    def of(cls, row: Any, order: Order = NEWEST_FIRST) -> Place:
        """Return the place of a row that has an integer primary key."""
        return cls(order.of(row), row.pk, order)

    def cursor(self) -> str:
        """Return the place as a short text for a URL."""
        since = self.at - _EPOCH if isinstance(self.at, dt.datetime) else self.at
        text = f"{self.order.name}{since // _MICROSECOND}.{self.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str, order: Order = NEWEST_FIRST) -> Place:
        """Return the place of a text that `cursor()` returned for a place of this order.

        Raises:
            BadCursor: the text is anything else.
        """
        if not _CURSOR.fullmatch(cursor):
            raise BadCursor(cursor)
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except binascii.Error:
            raise BadCursor(cursor) from None
        match = _PLACE.fullmatch(text)
        if not match or int(match[3]) >= 2**63 or match[1].decode() != order.name:
            raise BadCursor(cursor)
        # Seventeen digits of microseconds end in the year 5138: nothing here overflows.
        since = int(match[2]) * _MICROSECOND
        at = since if order.is_duration else _EPOCH + since
        return cls(at, int(match[3]), order)


@dataclass(frozen=True)
class Page(Generic[M]):
    """One page of rows, and the cursors of the pages next to it (empty where there is none)."""

    rows: list[M] = field(default_factory=list)
    newer: str = ""
    older: str = ""

    @property
    def is_first(self) -> bool:
        return not self.newer


#: Returns the first rows of a query set in an order, at most this many.
Fetch = Callable[[Any, Order, int], list[Any]]


def first_rows(rows: QuerySet[M], order: Order, count: int) -> list[M]:
    """Return the first rows in this order."""
    return list(in_order(rows, order)[:count])


def page_of(
    rows: QuerySet[M],
    *,
    newer: str = "",
    older: str = "",
    size: int = PAGE_SIZE,
    order: Order = NEWEST_FIRST,
    fetch: Fetch = first_rows,
) -> Page[M]:
    """Return the first page, the page after the cursor `older`, or the page before `newer`.

    Raises:
        BadCursor: the text is not a complete cursor of this order.
    """
    selected, direction = _select(rows, newer, older, order)
    # One row more than the page contains shows whether there is another page.
    fetched = fetch(selected, direction, size + 1)
    page_rows, has_more = fetched[:size], len(fetched) > size
    if newer:
        page_rows.reverse()
    if not page_rows:
        return Page()
    first, last = (Place.of(row, order).cursor() for row in (page_rows[0], page_rows[-1]))
    if newer:
        return Page(page_rows, first if has_more else "", last)
    return Page(page_rows, first if older else "", last if has_more else "")


def rows_of_page(
    rows: Q, *, newer: str = "", older: str = "", size: int = PAGE_SIZE, order: Order = NEWEST_FIRST
) -> Q:
    """Return the rows of a page, and one more if there is another page; before `newer`, backwards.

    Raises:
        BadCursor: the text is not a complete cursor of this order.
    """
    selected, direction = _select(rows, newer, older, order)
    limited: Q = in_order(selected, direction)[: size + 1]
    return limited


def _select(rows: Q, newer: str, older: str, order: Order) -> tuple[Q, Order]:
    """Return the rows before or after a cursor, and the order in which the nearest comes first."""
    if newer:
        place = Place.parse(newer, order)
        precedes = GreaterThan if order.descending else LessThan
        preceding = rows.filter(precedes(_row(order), _values(place)))
        return preceding, replace(order, descending=not order.descending)
    if older:
        return older_than(rows, Place.parse(older, order)), order
    return rows, order


def capped_count(rows: QuerySet[M], cap: int = COUNT_CAP) -> str:
    """Return the number of rows as text, “1,000+” if there are more than the cap."""
    return count_text(rows.order_by()[: cap + 1].count(), cap)


def count_text(count: int, cap: int = COUNT_CAP) -> str:
    """Return a number of rows as text; a number above the cap was not counted completely."""
    return f"{cap:,}+" if count > cap else f"{count:,}"


def up_to(rows: Q, order: Order, at: Any) -> Q:
    """Return the rows whose value of the order comes before another one, or is the same."""
    is_before = GreaterThanOrEqual if order.descending else LessThanOrEqual
    return rows.filter(is_before(order.value, Value(at)))


def having_ids(rows: Q, ids: Iterable[int]) -> Q:
    """Return those of the rows that have one of the ids.

    With a list instead of a subquery, the planner can compare the ids with each entry of the index
    that serves the other conditions, such as that of all runs of a day.
    """
    return rows.filter(pk__in=RawSQL("SELECT unnest(%s::bigint[])", [list(ids)]))


def in_order(rows: Q, order: Order = NEWEST_FIRST) -> Q:
    """Return the rows in this order."""
    if order.descending:
        return rows.order_by(order.value.desc(), "-id")
    return rows.order_by(order.value.asc(), "id")


def older_than(rows: Q, place: Place) -> Q:
    """Return the rows that follow a place in its order."""
    follows = LessThan if place.order.descending else GreaterThan
    return rows.filter(follows(_row(place.order), _values(place)))


class _Row(Func):
    function = "ROW"
    output_field = BooleanField()


def _row(order: Order) -> _Row:
    return _Row(order.value, "id")


def _values(place: Place) -> _Row:
    field = DateTimeField() if isinstance(place.at, dt.datetime) else DurationField()
    return _Row(Value(place.at, field), Value(place.id, BigIntegerField()))
