"""Tables in a text: the values below the name of a secret."""

from __future__ import annotations

import functools
import re

from redaction.letters import is_unlike_words
from redaction.marks import mask
from redaction.ordinary import is_name_of_resource, is_passphrase, is_reference, is_word
from redaction.patterns import PASSWORD_NAME, SENSITIVE_NAME

_DELIMITERS = ",;|│┃║"
_COLUMN = r"""[\s"'`*\[]*(?:[\w.\-]+[ _.\-])?[\w.\-]*?{name}[\s"'`*\]]*"""
_SENSITIVE_COLUMN = re.compile(_COLUMN.format(name=SENSITIVE_NAME), re.IGNORECASE | re.VERBOSE)
_PASSWORD_COLUMN = re.compile(
    _COLUMN.format(name=f"(?:{PASSWORD_NAME}|pass|pw)"), re.IGNORECASE | re.VERBOSE
)
_RULE = re.compile(r"[\-=:+|─━═┼╪╫╬├┤╠╣ ]+")
_CODE_NAME = re.compile(r"(?:pin|puk|otp|code)s?[\s\"'`*]*\Z", re.IGNORECASE)
_GROUPS_OF_DIGITS = re.compile(r"\d{4,8}(?:-\d{4,8}){2,7}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\w)|\d{1,2}[./]\d{1,2}[./]\d{4}(?!\w)")
_WORD = re.compile(r"\S+(?:[ ]\S+)*")


def mask_columns(match: re.Match[str]) -> str:
    """Mask the values of the columns, in rows below their names, whose name is that of a secret."""
    names = match["names"].replace("||", "|")
    delimiter = max(_DELIMITERS, key=names.count)
    columns = names.split(delimiter)
    hidden = {place for place, name in enumerate(columns) if _SENSITIVE_COLUMN.fullmatch(name)}
    if not hidden:
        return match[0]
    rows = []
    for row in match["rows"].split("\n"):
        cells = _cell(delimiter).findall(row)
        if len(cells) != len(columns):
            rows.append(row)
            continue
        masked = [
            _mask_cell(cell, columns[place]) if place in hidden else cell
            for place, cell in enumerate(cells)
        ]
        rows.append(delimiter.join(masked))
    return _with_rows(match, rows)


def mask_aligned(match: re.Match[str]) -> str:
    """Mask the values below the name of a secret in columns that spaces align.

    Below "Password", each value is hidden; below "Token" or "Key", which also name what a secret
    is called, only one that is no word.
    """
    # A line of dashes says where the columns begin, else the gaps between their names.
    edges = _WORD if match["dashes"] is None else re.compile(r"\S+")
    starts = [column.start() for column in edges.finditer(match["dashes"] or match["names"])]
    ends = [*starts[1:], None]
    rows = match["rows"].split("\n")
    # From the right, because a mask moves what follows it.
    for place, (start, end) in reversed(list(enumerate(zip(starts, ends, strict=True)))):
        name = match["names"][start:end].strip()
        if _SENSITIVE_COLUMN.fullmatch(name):
            for number, row in enumerate(rows):
                rows[number] = _mask_aligned_cell(row, place, starts, name)
    return _with_rows(match, rows)


def _mask_aligned_cell(row: str, place: int, starts: list[int], name: str) -> str:
    """Mask one column of a row; a value that is longer than its column moves those after it."""
    cells = list(_WORD.finditer(row))
    if len(cells) == len(starts):
        start, end = cells[place].span()
    else:
        start = starts[place]
        end = starts[place + 1] if place + 1 < len(starts) else len(row)
    cell = row[start:end]
    return row[:start] + _mask_cell(cell, name) + row[end:]


def _is_secret(value: str, name: str) -> bool:
    """Return whether a value below "Token" or "Key" is a secret, and not what one is called."""
    if value.isdigit():
        return 4 <= len(value) <= 10 and _CODE_NAME.search(name) is not None
    if " " in value or is_name_of_resource(value):
        return False
    is_key = _GROUPS_OF_DIGITS.fullmatch(value) is not None
    return is_key or is_unlike_words(value) or is_passphrase(value)


def _with_rows(match: re.Match[str], rows: list[str]) -> str:
    """Return the match with other rows."""
    start, end = (place - match.start() for place in match.span("rows"))
    return match[0][:start] + "\n".join(rows) + match[0][end:]


@functools.cache
def _cell(delimiter: str) -> re.Pattern[str]:
    """A cell between delimiters; in quotation marks it may contain them."""
    end = re.escape(delimiter)
    return re.compile(rf"""(?:(?<={end})|^)(?:\s*N?(?:"[^"]*"|'[^']*')\s*|[^{end}]*)(?={end}|$)""")


def _mask_cell(cell: str, name: str) -> str:
    """Mask what a cell contains, but not its quotation marks, unless it is words about a secret."""
    value = cell.strip().removeprefix("N'").strip("\"'`")
    if not value or _RULE.fullmatch(value) or is_reference(value, 0, len(value)):
        return cell
    first, *others = value.split()
    if is_word(first) or any(is_word(word) and not word.isdigit() for word in others):
        return cell
    if _DATE.match(value) or not (_PASSWORD_COLUMN.fullmatch(name) or _is_secret(value, name)):
        return cell
    return cell.replace(value, mask(value))
