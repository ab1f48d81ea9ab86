"""Secrets with a public marker: a prefix or signature that their issuer puts into each of them.

`data/markers.json` lists the formats with their sources. A form such as `ghp_{alnum:16-36}` has an
alphabet and a number of characters in braces: at least 16 are recognized, and 36 is the length that
the issuer uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redaction.marks import mask_match

#: Characters of each alphabet, as a class of a regular expression.
ALPHABETS = {
    "alnum": "[A-Za-z0-9]",
    "ALNUM": "[A-Z0-9]",
    "lower": "[a-z0-9]",
    "hex": "[0-9a-f]",
    "HEX": "[0-9A-F]",
    "b64": "[A-Za-z0-9+/]",
    "b64url": r"[A-Za-z0-9_\-]",
    "b32": "[a-z2-7]",
    "B32": "[A-Z2-7]",
    "digit": "[0-9]",
    "entra": r"[A-Za-z0-9_.~\-]",
    "pad": "[AQgw]",
}
_PLACE = re.compile(r"\{(\w+):(\d+)(?:-(\d+))?\}")
# The character before a marker: none that belongs to a word, unless it ends an escape sequence.
_START = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
# What every form contains; most texts in a language do not.
_MIN_LENGTH = 16
_LONG_WORD = re.compile(rf"[\w+/~.:\-]{{{_MIN_LENGTH}}}")
_FILE = Path(__file__).parent / "data" / "markers.json"


@dataclass(frozen=True)
class Marker:
    """The forms of one issuer's secret; `source` is a key of the file's sources."""

    name: str
    source: str
    forms: tuple[str, ...]


def mask_markers(text: str) -> str:
    """Return the text with every secret masked that has a public marker."""
    words = _long_words(text)
    if not _LONG_WORD.search(words):
        return text
    for literal, pattern in _PATTERNS:
        if literal in words and pattern.search(words):
            text = pattern.sub(mask_match, text)
            words = _long_words(text)
    return text


def _long_words(text: str) -> str:
    """Return the words that are long enough for a form; none has a space inside."""
    return " ".join([word for word in text.split() if len(word) >= _MIN_LENGTH])


def _patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the longest fixed text of each form, and the form as a regular expression."""
    for marker in MARKERS:
        for form in marker.forms:
            literal = max(_PLACE.sub("\0", form).split("\0"), key=len)
            yield literal, re.compile(_expression(form))


def _expression(form: str) -> str:
    """Return the regular expression of a form; an alphabet at its end takes all that follows."""
    first = _PLACE.match(form)
    parts = [_START if not first or first[1] in ("digit", "hex") else ""]
    position = 0
    for place in _PLACE.finditer(form):
        parts.append(re.escape(form[position : place.start()]))
        at_least, at_most = place[2], place[3] or place[2]
        count = f"{{{at_least},{at_most}}}"
        if place.end() == len(form):
            count = f"{{{at_least},}}={{0,2}}"
        parts.append(ALPHABETS[place[1]] + count)
        position = place.end()
    return "".join([*parts, re.escape(form[position:])])


_DATA = json.loads(_FILE.read_text())
VERSION: str = _DATA["version"]
SOURCES: dict[str, dict[str, str]] = _DATA["sources"]
MARKERS = [
    Marker(entry["name"], entry["source"], tuple(entry["forms"])) for entry in _DATA["markers"]
]
_PATTERNS = list(_patterns())
