"""Where names of secrets are in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from redaction.patterns import FOREIGN_HINTS, FOREIGN_KEYS, NAME_START, SENSITIVE_NAME

_FLAGS = re.IGNORECASE | re.VERBOSE
_NAME = re.compile(SENSITIVE_NAME, _FLAGS)
_NAME_AT_END = re.compile(rf"{SENSITIVE_NAME}\Z", _FLAGS)
_FOREIGN_KEY_AT_END = re.compile(rf"{FOREIGN_KEYS}\Z", _FLAGS)
_NAME_START = re.compile(NAME_START)
_NAME_START_OF_ANY_CASE = re.compile(NAME_START, re.IGNORECASE)


def places_of_names(text: str) -> list[int]:
    """Return where the names of secrets begin."""
    return [start for start in _starts(text, text.lower()) if _NAME.match(text, start)]


def is_sensitive_name(name: str) -> bool:
    """Return whether a name, such as a key in JSON, ends with that of a secret."""
    lowered = name.lower()
    if any(_NAME_AT_END.match(name, start) for start in _starts(name, lowered)):
        return True
    is_foreign = any(hint in lowered for hint in FOREIGN_HINTS)
    return is_foreign and _FOREIGN_KEY_AT_END.search(name) is not None


def _starts(text: str, lowered: str) -> Iterator[int]:
    """Yield where the name of a secret may begin."""
    # A few capital letters have two small ones, which moves what follows them.
    is_moved = len(lowered) != len(text)
    starts = _NAME_START_OF_ANY_CASE.finditer(text) if is_moved else _NAME_START.finditer(lowered)
    return map(re.Match.start, starts)
