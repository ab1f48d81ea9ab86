"""The time that a page shows and decides by: the database's, read at most once per request."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextvars import ContextVar

from django.db.models import DateTimeField, Func
from django.http import HttpRequest, HttpResponse

from tenancy.db import database_now

#: The time of the current request, once it has been read; None outside of requests.
_times: ContextVar[list[dt.datetime] | None] = ContextVar("request_times", default=None)


class DatabaseTime(Func):
    """The current time of the database as part of a query, as `database_now` returns it."""

    function = "clock_timestamp"
    arity = 0
    output_field = DateTimeField()


def request_now() -> dt.datetime:
    """Return the current time of the database; a request reads it once and keeps it.

    The clock of a web server decides nothing and shows nothing: it can be wrong.
    """
    times = _times.get()
    if times is None:
        return database_now()
    if not times:
        times.append(database_now())
    return times[0]


def keep_request_now(now: dt.datetime) -> None:
    """Let the current request see a time of the database that another statement has read along."""
    times = _times.get()
    if times is not None and not times:
        times.append(now)


class RequestClockMiddleware:
    """Lets everything in one request see the same time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _times.set([])
        try:
            return self.get_response(request)
        finally:
            _times.reset(token)
