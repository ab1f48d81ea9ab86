"""Pages of lists: by time and id as on pages, or by id alone."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import F, QuerySet

from api.requests import ListParameters
from api.schemas import Listed
from web.ids import parse_id
from web.keyset import BadCursor, Order, page_of

T = TypeVar("T")

BY_START = Order("", F("started_at"), attrgetter("started_at"))
BY_CREATION = Order("", F("created_at"), attrgetter("created_at"))


def page_by_time(
    rows: QuerySet[Any], parameters: ListParameters, order: Order, build: Callable[[Any], T]
) -> Listed[T]:
    """Return a page of rows, newest first.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    page = page_of(rows, older=parameters.cursor, size=parameters.limit, order=order)
    return Listed(items=[build(row) for row in page.rows], next=page.older or None)


def page_by_number(
    rows: QuerySet[Any], parameters: ListParameters, build: Callable[[Any], T]
) -> Listed[T]:
    """Return a page of rows in the order of their ids.

    Raises:
        BadCursor: the cursor is not one of this list.
    """
    ordered = rows.order_by("pk").filter(pk__gt=number_of(parameters.cursor))
    selected = list(ordered[: parameters.limit + 1])
    shown = selected[: parameters.limit]
    has_more = len(selected) > parameters.limit
    return Listed(items=[build(row) for row in shown], next=str(shown[-1].pk) if has_more else None)


def number_of(cursor: str) -> int:
    """Return the id after which a page begins.

    Raises:
        BadCursor: the cursor is not one of a list by ids.
    """
    number = parse_id(cursor or "0")
    if number is None:
        raise BadCursor(cursor)
    return number
