"""Spellings of cron expressions that other schedulers accept, each with its equivalent here."""

from __future__ import annotations

import re

#: As in Debian's crontab(5).
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
#: The first and last value of each field, and the names that it accepts.
FIELDS: tuple[tuple[int, int, list[str]], ...] = (
    (0, 59, []),
    (0, 23, []),
    (1, 31, []),
    (1, 12, ["", *MONTHS]),
    (0, 6, WEEKDAYS),
)
_RANGE = re.compile(r"(\w+)-(\w+)(/\d+)?", re.ASCII)


def suggest(cron: str) -> str:
    """What to write instead, as a sentence; empty if no known spelling is in the expression.

    One of them is `2-2/1`: cron runs at 2, but the library that computes the slots continues to the
    end of the field.
    """
    if cron.startswith("@"):
        equivalent = ALIASES.get(cron.strip().lower())
        return f"Write {equivalent} instead of {cron.strip()}." if equivalent else ""
    for field, (low, high, names) in zip(cron.upper().split(), FIELDS, strict=False):
        for term in field.split(","):
            if sentence := _suggest_range(term, low, high, names):
                return sentence
            if re.fullmatch(r"\d+W", term, re.ASCII):
                return f"{term} (nearest weekday) is not supported. Write LW for the last weekday."
    return ""


def _suggest_range(term: str, low: int, high: int, names: list[str]) -> str:
    """What to write instead of a range that wraps around, or of one value with a step."""
    match = _RANGE.fullmatch(term)
    if match is None:
        return ""
    first, last = (_value(text, names) for text in match.group(1, 2))
    if first is None or last is None or max(first, last) > high:
        return ""
    if first == last and match[3]:
        return f"Write {match[1]} instead of {term}."
    if first > last and not match[3]:
        lowest: int | str = names[low] if match[2] in names else low
        highest: int | str = names[high] if match[1] in names else high
        until_end = match[1] if first == high else f"{match[1]}-{highest}"
        from_start = match[2] if last == low else f"{lowest}-{match[2]}"
        return f"Write {until_end},{from_start} instead of {term}."
    return ""


def _value(text: str, names: list[str]) -> int | None:
    if text in names:
        return names.index(text)
    return int(text) if text.isdecimal() else None
