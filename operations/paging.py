"""Keyset pages over `(created_at, id)`, newest first; a cursor is the place between two rows.

The comparison is a row value, `(created_at, id) < (x, y)`, which Postgres answers from the index.
Written out with OR it reads half the table.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from dataclasses import dataclass, field

from django.db.models import BigIntegerField, BooleanField, DateTimeField, Func, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan

from operations.models import OperationRun, OperationRunQuerySet

PAGE_SIZE = 50
COUNT_CAP = 1000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{4,64}", re.ASCII)
_PLACE = re.compile(rb"([0-9]{1,17})\.([0-9]{1,19})")


class BadCursor(ValueError):
    """The cursor was not made here, or not whole."""


@dataclass(frozen=True)
class Place:
    """Where a page begins or ends."""

    at: dt.datetime
    id: int

    @classmethod
    def of(cls, run: OperationRun) -> Place:
        return cls(run.created_at, run.pk)

    def cursor(self) -> str:
        """The place as a short text for an address."""
        micros = (self.at - _EPOCH) // dt.timedelta(microseconds=1)
        return base64.urlsafe_b64encode(f"{micros}.{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """The place that `cursor()` wrote.

        Raises:
            BadCursor: it is anything else.
        """
        if not _CURSOR.fullmatch(cursor):
            raise BadCursor(cursor)
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except binascii.Error:
            raise BadCursor(cursor) from None
        found = _PLACE.fullmatch(text)
        if not found or int(found[2]) >= 2**63:
            raise BadCursor(cursor)
        # Seventeen digits of microseconds end in the year 5138: nothing here overflows.
        return cls(_EPOCH + dt.timedelta(microseconds=int(found[1])), int(found[2]))


@dataclass(frozen=True)
class Page:
    """One page of runs, and the cursors of its neighbours (empty where there is none)."""

    rows: list[OperationRun] = field(default_factory=list)
    newer: str = ""
    older: str = ""

    @property
    def is_first(self) -> bool:
        return not self.newer


def page_of(
    runs: OperationRunQuerySet, *, newer: str = "", older: str = "", size: int = PAGE_SIZE
) -> Page:
    """The newest page, the one older than a cursor, or the one newer than a cursor.

    Raises:
        BadCursor: a cursor that was not made here.
    """
    if newer:
        return _page_before(runs, Place.parse(newer), size)
    return _page_after(runs, Place.parse(older) if older else None, size)


def capped_count(runs: QuerySet[OperationRun], cap: int = COUNT_CAP) -> str:
    """How many there are; “1,000+” where counting them all would take too long."""
    counted = runs.order_by()[: cap + 1].count()
    return f"{cap:,}+" if counted > cap else f"{counted:,}"


def older_than(runs: OperationRunQuerySet, place: Place) -> OperationRunQuerySet:
    """The runs on the other side of a place."""
    return runs.filter(LessThan(_ROW, _values(place)))


def _page_after(runs: OperationRunQuerySet, place: Place | None, size: int) -> Page:
    rows = list((older_than(runs, place) if place else runs).newest_first()[: size + 1])
    shown = rows[:size]
    return Page(
        shown,
        newer=Place.of(shown[0]).cursor() if place and shown else "",
        older=Place.of(shown[-1]).cursor() if len(rows) > size else "",
    )


def _page_before(runs: OperationRunQuerySet, place: Place, size: int) -> Page:
    rows = list(
        runs.filter(GreaterThan(_ROW, _values(place))).order_by("created_at", "id")[: size + 1]
    )
    shown = rows[:size][::-1]
    return Page(
        shown,
        newer=Place.of(shown[0]).cursor() if len(rows) > size else "",
        older=Place.of(shown[-1]).cursor() if shown else "",
    )


class _Row(Func):
    function = "ROW"
    output_field = BooleanField()


_ROW = _Row("created_at", "id")


def _values(place: Place) -> _Row:
    return _Row(Value(place.at, DateTimeField()), Value(place.id, BigIntegerField()))
