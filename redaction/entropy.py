"""Random tokens: the protection against secrets that no rule describes."""

from __future__ import annotations

import re
from itertools import pairwise

from redaction.marks import MASK

_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_=~%\-]{24,}")
_HARMLESS_PART = re.compile(
    r"""[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}  # GUIDs
      | (?<![0-9A-Za-z])[0-9a-fA-F]{16,}(?![0-9A-Za-z])       # checksums, trace ids
      | \d{4}-\d\d-\d\dT\d\d                                  # timestamps
      | %(?:25)*[0-9a-fA-F]{2}                                # URL-encoded characters""",
    re.VERBOSE,
)
_ALPHANUMERIC_RUN = re.compile(r"[A-Za-z0-9]+")
_DIGIT_RUN = re.compile(r"[0-9]+")
_LOWER, _UPPER, _DIGIT, _OTHER = range(4)
_CHARACTER_CLASSES = (str.islower, str.isupper, str.isdigit)


def mask_random_tokens(text: str) -> str:
    """Return the text with every long token that looks random masked."""
    return _LONG_TOKEN.sub(_mask_if_random, text)


def looks_random(token: str) -> bool:
    """Return whether a token alternates between cases and digits more than names and paths do."""
    longest = max(_ALPHANUMERIC_RUN.findall(token), key=len, default="")
    if len(token) < 24 or len(longest) < 12:
        return False
    classes = sum(any(map(is_class, token)) for is_class in _CHARACTER_CLASSES)
    digit_runs = len(_DIGIT_RUN.findall(token))
    if classes == 3:
        rate = _class_change_rate(longest)
        return rate >= 0.4 or (rate >= 0.22 and digit_runs >= 2)
    if classes == 2:
        return len(longest) >= 30 and digit_runs >= 2 and _class_change_rate(longest) >= 0.2
    return False


def _mask_if_random(match: re.Match[str]) -> str:
    token = match[0]
    return MASK if looks_random(_HARMLESS_PART.sub("-", token)) else token


def _class_change_rate(run: str) -> float:
    """Return the changes of character class per character.

    A capital before small letters does not count, because that is how words begin.
    """
    classes = [_class_of(character) for character in run]
    changes = sum(
        before != after and (before, after) != (_UPPER, _LOWER)
        for before, after in pairwise(classes)
    )
    return changes / len(run)


def _class_of(character: str) -> int:
    for index, is_class in enumerate(_CHARACTER_CLASSES):
        if is_class(character):
            return index
    return _OTHER
