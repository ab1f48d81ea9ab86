"""CSV cells that spreadsheets do not interpret as formulas."""

from __future__ import annotations

#: Spreadsheets interpret a cell that begins with one of these as a formula.
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: object) -> object:
    """Return the value with an apostrophe before a text that would be a formula."""
    if isinstance(value, str) and value.lstrip(" ").startswith(TRIGGERS):
        return f"'{value}"
    return value
