"""The texts that replace removed values."""

from __future__ import annotations

import re

#: How a mask begins; the number of hidden characters follows, as in `[redacted:24]`.
MASK_START = "[redacted"
TRUNCATED = "[truncated]"
UNREADABLE = "[unreadable]"
ELLIPSIS = "…"

_MASK = re.compile(r"\[redacted(?::(\d{1,9}))?\]")
_CUT_MASK = re.compile(r"\[redacted:?\d{0,9}")


def mask(value: str) -> str:
    """Return the mask of a value, with the number of its characters.

    A value that is a mask already stays; one that contains masks counts what they hide.
    """
    if _MASK.fullmatch(value):
        return value
    hidden = sum(int(match[1] or 0) for match in _MASK.finditer(value))
    return f"{MASK_START}:{len(_MASK.sub('', value)) + hidden}]"


def mask_match(match: re.Match[str]) -> str:
    """Mask a match of a regular expression completely, for `re.sub`."""
    return mask(match[0])


def mask_spans(text: str) -> list[tuple[int, int, int]]:
    """Return start and end of each mask in the text, and the number of characters that it hides."""
    return [(*each.span(), int(each[1] or len(each[0]))) for each in _MASK.finditer(text)]


def hidden_values(text: str, masked: str) -> set[str]:
    """Return what the masks of a text hide, if the rest of it is as it was."""
    values = set()
    place = end = 0
    for start, next_end, hidden in mask_spans(masked):
        place = text.find(masked[end:start], place) + start - end
        old = masked[start:next_end]
        value = old if text.startswith(old, place) else text[place : place + hidden]
        values.add(value)
        place, end = place + len(value), next_end
    return values - {""}


def without_counts(text: str) -> str:
    """Return the text with masks that do not say how much they hide, to compare what is visible."""
    return _MASK.sub(f"{MASK_START}]", text)


def is_cut_mask(end: str) -> bool:
    """Return whether a text, which begins with a bracket, is a mask without its end."""
    return MASK_START.startswith(end) or _CUT_MASK.fullmatch(end) is not None
