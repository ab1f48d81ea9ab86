"""CSV cells that a spreadsheet shows and never calculates."""

from __future__ import annotations

#: A cell that begins with one of these is a formula to a spreadsheet.
TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(value: object) -> object:
    """The value as a spreadsheet shows it and never calculates it; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" ").startswith(TRIGGERS):
        return f"'{value}"
    return value
