"""The one rule by which searches ignore upper and lower case, for texts that Python compares."""

from __future__ import annotations


def ignore_case(text: str) -> str:
    """Return a text in upper case, letter by letter, as `upper` of PostgreSQL and `icontains` do.

    A letter without an upper-case letter stays: “straße” is “STRAßE”, and is not “STRASSE”.
    """
    upper = text.upper()
    if len(upper) == len(text):
        return upper
    return "".join(map(_upper, text))


def _upper(letter: str) -> str:
    # Of the Greek letters with an iota below, PostgreSQL takes what Python calls the title case.
    cases = (letter.upper(), letter.title(), letter)
    return next(case for case in cases if len(case) == 1)
