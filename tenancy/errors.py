"""The pages for what went wrong. They are plain, and the same for everybody."""

from __future__ import annotations

import sys

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFilesSent
from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from psycopg.errors import ReadOnlySqlTransaction

from tenancy.http import render_error

RETRY_AFTER_SECONDS = 10


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400; 413 for what is too large."""
    if isinstance(exception, RequestDataTooBig | TooManyFilesSent):
        return render_error("413.html", 413)
    return render_error("400.html", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403, with the reason if we gave one."""
    reason = str(exception) if isinstance(exception, PermissionDenied) else ""
    return render_error("403.html", 403, reason=reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, byte for byte the same whether the thing is missing or somebody else's."""
    return render_error("404.html", 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, with a reference that the log has too; 503 where the database is the reason."""
    reference = getattr(request, "reference", "")
    if not is_database_away(sys.exc_info()[1]):
        return render_error("500.html", 500, reference=reference)
    answer = render_error("503.html", 503, reference=reference)
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def is_database_away(error: BaseException | None) -> bool:
    """Whether the database is down, full, out of connections, too slow, or takes no writes."""
    if isinstance(error, OperationalError | InterfaceError):
        return True
    return isinstance(error, InternalError) and isinstance(error.__cause__, ReadOnlySqlTransaction)
