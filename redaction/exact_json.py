"""JSON that keeps numbers digit by digit, in the form in which PostgreSQL returns them.

A number with a point or an exponent becomes a `Decimal` with at least one digit after the point,
and never a double. `jsonb` keeps such a number as it is, with its zeros. Only two details of the
text are lost: the exponent (`1e16` is 10000000000000000.0) and the sign of zero.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

#: The longest text of a number, and the largest exponent. A double has up to 767 digits, and its
#: largest exponent is 308; PostgreSQL stores all of them.
MAX_NUMBER_LENGTH, MAX_EXPONENT = 1000, 400
#: How many zeros the exponents of one document may stand for: PostgreSQL writes each of them.
MAX_ZEROS = 1_000_000


class NumberTooLarge(ValueError):
    """A number has too many digits, or the numbers of a document have together."""


def number_parser() -> Callable[[str], Decimal]:
    """Return what parses the numbers of one document that have a point or an exponent.

    Raises when called:
        NumberTooLarge: a number exceeds a limit.
    """
    zeros = 0

    def parse(text: str) -> Decimal:
        nonlocal zeros
        if len(text) > MAX_NUMBER_LENGTH:
            raise NumberTooLarge
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise NumberTooLarge from None
        exponent = abs(number.adjusted())
        zeros += max(0, exponent - len(text))
        if exponent > MAX_EXPONENT or zeros > MAX_ZEROS:
            raise NumberTooLarge
        if "e" in text or "E" in text:
            # PostgreSQL has no exponents; without a point, the number would come back as an integer.
            written = f"{number:f}"
            number = Decimal(written if "." in written else f"{written}.0")
        return number or number.copy_abs()

    return parse


@lru_cache(maxsize=4096)
def canonical_number(number: Decimal) -> str:
    """Return the text that stands for a number in hashes; equal numbers have equal texts.

    It is that of the nearest double, which all numbers had in earlier versions of Runledger, if
    that double is exactly the number.
    """
    shortest = repr(float(number))
    if Decimal(shortest) == number:
        return f"{Decimal(shortest):f}" if "e+" in shortest else shortest
    digits = f"{number:f}".rstrip("0")
    return f"{digits}0" if digits.endswith(".") else digits


class ExactDecoder(json.JSONDecoder):
    """Reads numbers of any size, from where they are already checked, such as the database."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"parse_float": Decimal})


#: Stands for a number until the text is complete; it is random, so that no content can contain it.
_PLACE = secrets.token_hex(16)


def dumps(value: Any, *, write_number: Callable[[Decimal], str] = str, **options: Any) -> str:
    """Return the value as JSON with the digits of each number; `options` are those of `json.dumps`.

    `json` has no way to write a `Decimal` as a number. It writes a place for each, which needs no
    time where there is none.
    """
    numbers: list[str] = []

    def keep(value: Any) -> str:
        if not isinstance(value, Decimal):
            raise TypeError(f"{type(value).__name__} is no JSON")
        numbers.append(write_number(value))
        return _PLACE

    text = json.dumps(value, default=keep, **options)
    if not numbers:
        return text
    first, *others = text.split(f'"{_PLACE}"')
    return first + "".join(map(str.__add__, numbers, others))
