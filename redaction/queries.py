"""Sentences in the values of queries and forms, where a plus sign or %20 stands for a space."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

_VALUE = re.compile(r"""(?<==)[^\s&="'<>]{8,2000}""")
_SPACE = re.compile(r"\+|%20", re.IGNORECASE)
_WORD = re.compile(r"[\"'(]?(?:[^\W\d_][^\W\d_A-Z]*|\d{1,4})[.,:;!?)\"']{0,2}")
_MIN_SPACES = 2
# What stays as it is in a value that is encoded again; a mask is of these.
_SAFE = "[]:.,;!()'/@$*?-…"


def mask_sentences(text: str, mask: Callable[[str], str]) -> str:
    """Return the text with what `mask` masks in a sentence masked in the values of a query."""
    if "=" not in text or ("+" not in text and "%20" not in text):
        return text

    def masked(match: re.Match[str]) -> str:
        value = match[0]
        spaces = _SPACE.findall(value)
        if len(spaces) < _MIN_SPACES:
            return value
        has_plus = "+" in spaces
        sentence = unquote_plus(value) if has_plus else unquote(value)
        if not _is_sentence(sentence):
            return value
        result = mask(sentence)
        if result == sentence:
            return value
        return quote_plus(result, safe=_SAFE) if has_plus else quote(result, safe=_SAFE)

    return _VALUE.sub(masked, text)


def _is_sentence(text: str) -> bool:
    """Return whether half of the words are words: in a text in base64, none is."""
    words = text.split()
    return 2 * sum(map(bool, map(_WORD.fullmatch, words))) >= len(words)
