"""Failed sign-ins: counted, recorded, and locked out after too many.

Two counters, rows of the attempts of django-axes, lock for a fixed time: one for a user name from
an address, and one for an address across all names. The database's clock decides.

A counter starts with the first failure and ends `AXES_COOLOFF_TIME` later. If it reaches its limit
before, the lock starts then and lasts the same time. Tries during a lock are refused without looking
at the password; they are counted, but do not change when the lock ends.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.signals import user_locked_out
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from tenancy.http import render_error
from web.client_address import client_network

log = logging.getLogger(__name__)

# The counter of an address across all names has an empty name, which no form accepts.

#: The name of the counter of unknown access tokens.
API_COUNTER = "(access token)"

#: The columns of axes are at least this long.
MAX_LENGTH = 255

_REMAINING = """
SELECT max(attempt_time) + %(duration)s - clock_timestamp()
FROM axes_accessattempt
WHERE ip_address = %(network)s AND user_agent = '' AND username = ANY(%(names)s)
  AND failures_since_start >= CASE username WHEN '' THEN %(address_limit)s ELSE %(limit)s END
  AND attempt_time > clock_timestamp() - %(duration)s
"""

_COUNT_FAILURE = """
INSERT INTO axes_accessattempt AS counter
    (username, ip_address, user_agent, http_accept, path_info, get_data, post_data,
     failures_since_start, attempt_time)
SELECT name, %(network)s, '', '', '', '', '', 1, clock_timestamp()
FROM unnest(%(names)s::text[]) AS name
ORDER BY name
ON CONFLICT (username, ip_address, user_agent) DO UPDATE SET
    failures_since_start = CASE
        WHEN counter.attempt_time <= clock_timestamp() - %(duration)s THEN 1
        ELSE counter.failures_since_start + 1
    END,
    attempt_time = CASE
        WHEN counter.attempt_time <= clock_timestamp() - %(duration)s
          OR counter.failures_since_start + 1 =
             CASE counter.username WHEN '' THEN %(address_limit)s ELSE %(limit)s END
        THEN clock_timestamp()
        ELSE counter.attempt_time
    END
RETURNING failures_since_start =
    CASE username WHEN '' THEN %(address_limit)s ELSE %(limit)s END
"""

# Rows are locked in the order of their names, here and above, so that no two failures deadlock.
_COUNT_REFUSED = """
UPDATE axes_accessattempt SET failures_since_start = failures_since_start + 1
WHERE id IN (
    SELECT id FROM axes_accessattempt
    WHERE ip_address = %(network)s AND user_agent = '' AND username = ANY(%(names)s)
      AND failures_since_start >= CASE username WHEN '' THEN %(address_limit)s ELSE %(limit)s END
      AND attempt_time > clock_timestamp() - %(duration)s
    ORDER BY username FOR UPDATE
)
RETURNING failures_since_start - CASE username WHEN '' THEN %(address_limit)s ELSE %(limit)s END
"""

_RECORD = """
INSERT INTO axes_accessfailurelog
    (username, ip_address, user_agent, http_accept, path_info, attempt_time, locked_out)
VALUES (%(name)s, %(address)s, %(user_agent)s, '', %(path)s, clock_timestamp(), %(locked)s)
"""


class LockoutHandler(AxesDatabaseHandler):  # type: ignore[misc]
    """Axes' handler, with two limits, fixed ends, and a record of every failure."""

    def is_locked(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> bool:
        """Whether this name from this address, or the address itself, is locked."""
        with connection.cursor() as cursor:
            cursor.execute(_REMAINING, _parameters(request, credentials))
            (remaining,) = cursor.fetchone()
        request.lockout_remaining = remaining  # type: ignore[attr-defined]
        return remaining is not None

    def user_login_failed(
        self,
        sender: object,
        credentials: dict[str, Any],
        request: HttpRequest | None = None,
        **_: object,
    ) -> None:
        """Count and record a failure; send `user_locked_out` if a lock starts."""
        if request is None:
            return
        parameters = _parameters(request, credentials)
        with connection.cursor() as cursor:
            if request.axes_locked_out:  # type: ignore[attr-defined]
                cursor.execute(_COUNT_REFUSED, parameters)
                tries = max((number for (number,) in cursor.fetchall()), default=0)
                request.tries_during_lock = tries  # type: ignore[attr-defined]
                return
            cursor.execute(_COUNT_FAILURE, parameters)
            locks = any(is_limit for (is_limit,) in cursor.fetchall())
            cursor.execute(_RECORD, parameters | {"locked": locks})
        if locks:
            request.axes_locked_out = True  # type: ignore[attr-defined]
            request.lockout_remaining = settings.AXES_COOLOFF_TIME  # type: ignore[attr-defined]
            user_locked_out.send(
                "axes",
                request=request,
                username=parameters["name"],
                ip_address=parameters["address"],
            )

    def clean_expired_user_attempts(
        self, request: HttpRequest | None = None, credentials: dict[str, Any] | None = None
    ) -> int:
        """Leave that to `tenancy.sign_in_records`: axes does it by the clock of the host."""
        return 0

    def reset_user_attempts(
        self, request: HttpRequest, credentials: dict[str, Any] | None = None
    ) -> int:
        """Forget the failures of a name that has signed in from this address."""
        parameters = _parameters(request, credentials)
        removed: int = self.reset_attempts(
            username=parameters["name"], ip_address=parameters["network"]
        )
        return removed


def _parameters(request: HttpRequest, credentials: dict[str, Any] | None) -> dict[str, Any]:
    address = request.axes_ip_address  # type: ignore[attr-defined]
    name = normalize_name(credentials or {})
    return _counters([name, ""], address, limit=settings.AXES_FAILURE_LIMIT) | {
        "name": name,
        "user_agent": _storable(request.axes_user_agent),  # type: ignore[attr-defined]
        "path": _storable(request.path),
    }


def _counters(names: list[str], address: str | None, *, limit: int) -> dict[str, Any]:
    return {
        "names": names,
        "address": address,
        "network": client_network(address),
        "limit": limit,
        "address_limit": settings.SIGN_IN_FAILURES_PER_ADDRESS,
        "duration": settings.AXES_COOLOFF_TIME,
    }


def token_lock(address: str | None) -> dt.timedelta | None:
    """Return for how long requests of the API from this address are refused, None if they are not."""
    with connection.cursor() as cursor:
        cursor.execute(_REMAINING, _token_counter(address))
        remaining: dt.timedelta | None = cursor.fetchone()[0]
    return remaining


def count_unknown_token(address: str | None) -> None:
    """Count and record a request with an access token that does not exist.

    It has its own counter, so that a program with a wrong token locks no sign-in of its network.
    """
    parameters = _token_counter(address)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_FAILURE, parameters)
        locks = any(is_limit for (is_limit,) in cursor.fetchall())
        cursor.execute(_RECORD, parameters | {"locked": locks})
    if locks:
        log.warning("too many unknown access tokens: the API is locked for %s", address)


def _token_counter(address: str | None) -> dict[str, Any]:
    limit = settings.SIGN_IN_FAILURES_PER_ADDRESS
    return _counters([API_COUNTER], address, limit=limit) | {
        "name": API_COUNTER,
        "user_agent": "",
        "path": "",
    }


def normalize_name(credentials: dict[str, Any]) -> str:
    """Return the name of a sign-in as it is counted, so that its spelling does not matter."""
    name = credentials.get("username") or credentials.get("email") or "(empty)"
    return _storable(str(name).strip().lower())


def _storable(text: str) -> str:
    return text.replace("\0", "")[:MAX_LENGTH]


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """Return a page with status 429 that says how long the lock lasts."""
    remaining: dt.timedelta = request.lockout_remaining  # type: ignore[attr-defined]
    minutes = math.ceil(remaining / dt.timedelta(minutes=1))
    response = render_error("accounts/locked_out.html", 429, minutes=minutes)
    response["Retry-After"] = str(math.ceil(remaining.total_seconds()))
    return response
