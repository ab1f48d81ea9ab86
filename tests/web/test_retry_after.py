"""How long a server asks to wait, in every format of the header `Retry-After`."""

from __future__ import annotations

import httpx2
import pytest

from web.retry_after import parse_retry_after

DATE = "Mon, 23 Nov 2026 14:00:00 GMT"
IN_30_S = "Mon, 23 Nov 2026 14:00:30 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        # Numbers and fractions.
        ("7", 7), ("0", 0), (" 12 ", 12), ("0.5", 0.5), ("30.", 30), (".5", 0.5),
        # Lists.
        ("7,7", 7), ("7, 30, 9", 30), ("7, 0.5", 7),
        # Dates.
        (IN_30_S, 30), ("Mon, 23 Nov 2026 14:00:30 -0000", 30), (f"{IN_30_S}, {IN_30_S}", 30),
        ("Mon, 23 Nov 2026 13:59:00 GMT", 0), ("Monday, 23-Nov-26 14:00:30 GMT", 30),
        # Huge.
        ("999999999999", 86_400), ("9" * 400, 86_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
        # None of these.
        ("", None), ("-5", None), ("-0.5", None), ("+5", None), ("soon", None), ("1e9", None),
        ("1.2.3", None), (".", None), ("inf", None), ("nan", None), ("0x10", None), ("7, soon", None),
        ("7;q=1", None), ("\u0661\u0662", None), ("Mon, 99 Nov 2026 14:00:30 GMT", None),
    ],
)  # fmt: skip
def test_every_format_is_read(header: str, seconds: float | None) -> None:
    assert parse_retry_after({"date": DATE, "retry-after": header}) == seconds


def test_without_the_header_there_is_no_wait() -> None:
    assert parse_retry_after({"date": DATE}) is None


def test_a_date_without_the_time_of_the_response_is_ignored() -> None:
    assert parse_retry_after({"retry-after": IN_30_S}) is None


def test_the_longest_of_repeated_headers_counts() -> None:
    response = httpx2.Response(429, headers=[("Retry-After", "5"), ("Retry-After", "20")])

    assert parse_retry_after(response.headers) == 20
