"""Reads how long a server asks to wait before the next request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: The longest wait that is returned, in seconds.
LONGEST = 86_400.0


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of the header `Retry-After`, at most a day; None if it cannot be read.

    It is a number, with or without a fraction, or a date. Of a repeated header ("7, 30"), the
    longest wait counts. A date counts from the `Date` header of the same response, because the
    clock of this host can be wrong; a date in the past is 0.

    Args:
        headers: the headers of a response, in which names are found in lower case.
    """
    value = headers.get("retry-after") or ""
    numbers = [each.strip() for each in value.split(",")]
    if all(map(_is_number, numbers)):
        return min(max(map(float, numbers)), LONGEST)
    at, sent_at = _parse_date(value), _parse_date(headers.get("date", ""))
    if at is None or sent_at is None:
        return None
    return min(max((at - sent_at).total_seconds(), 0.0), LONGEST)


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _parse_date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
