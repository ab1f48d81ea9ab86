"""The error pages. They use no request data, so they are the same for every user."""

from __future__ import annotations

import sys

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse

from tenancy.db import is_database_unavailable
from tenancy.http import render_error

RETRY_AFTER_SECONDS = 10


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, or 413 if the request is too large."""
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
        return render_error("413.html", 413)
    return render_error("400.html", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the reason of the exception if it has one."""
    reason = str(exception) if isinstance(exception, PermissionDenied) else ""
    return render_error("403.html", 403, reason=reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, byte for byte the same for a missing object and one of another workspace."""
    return render_error("404.html", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500 with a reference to the log, or 503 if the database is unavailable."""
    reference = getattr(request, "reference", "")
    if not is_database_unavailable(sys.exc_info()[1]):
        return render_error("500.html", 500, reference=reference)
    response = render_error("503.html", 503, reference=reference)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
