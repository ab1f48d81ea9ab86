"""Texts without secrets, in a form that can be stored, logged and shown."""

from __future__ import annotations

import re

from redaction.entropy import mask_random_tokens
from redaction.known_secrets import mask_known_secrets, secrets_generation
from redaction.letters import is_unlike_words
from redaction.marks import ELLIPSIS, hidden_values, is_cut_mask, mask, mask_spans
from redaction.rules import mask_secret_formats

WINDOW = 20_000
#: The characters after the window that are read as well: a secret across its edge is seen whole.
MARGIN = 2_000
MAX_ROUNDS = 8
_MIN_REPEATED = 8

_ANSI_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|\x1b\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)"
    r"|\x1b[@-Z\\^_]"
)
_LINE_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_CONTROL_CHARACTER = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]"
)
_TABBED_LINES = re.compile(r"[^\n\t]\t[^\n]*\n[^\n\t]+\t")
_SURROGATE = re.compile("[\ud800-\udfff]")


#: Short texts that were clean, with the secrets that were known then: most texts are repeated, such
#: as names and messages. A text with a secret is never kept.
_clean_texts: dict[tuple[str, int, bool, bool], int] = {}
MAX_CLEAN_TEXTS = 4096
MAX_CLEAN_LENGTH = 200


def sanitize_text(
    text: str, max_length: int = 2000, *, keep_newlines: bool = False, guess: bool = True
) -> str:
    """Return the text without secrets, ready to be stored, logged and shown.

    The result has at most `max_length` characters on one line (or on several, with
    `keep_newlines`), no control characters, and nothing that PostgreSQL or UTF-8 rejects. Without
    `guess`, a token is not masked only because it looks random. Never raises. Sanitizing twice gives
    the same result as sanitizing once.
    """
    if type(text) is not str or len(text) > MAX_CLEAN_LENGTH:
        return _sanitize(text, max_length, keep_newlines=keep_newlines, guess=guess)
    key, generation = (text, max_length, keep_newlines, guess), secrets_generation()
    if _clean_texts.get(key) == generation:
        return text
    cleaned = _sanitize(text, max_length, keep_newlines=keep_newlines, guess=guess)
    if cleaned == text:
        if len(_clean_texts) >= MAX_CLEAN_TEXTS:
            _clean_texts.clear()
        _clean_texts[key] = generation
    return cleaned


def _sanitize(text: str, max_length: int, *, keep_newlines: bool, guess: bool) -> str:
    window = max(WINDOW, max_length)
    text = text[: window + MARGIN]
    excess = max(len(text) - window, 0)
    text = normalize_text(text)
    # A mask can turn the text around it into another known format: repeat until it is stable.
    for _ in range(MAX_ROUNDS):
        cleaned = mask_known_secrets(text)
        cleaned = mask_secret_formats(cleaned)
        if guess:
            cleaned = mask_random_tokens(cleaned)
        if cleaned != text:
            cleaned = _mask_repeated(text, cleaned)
        if excess:
            cleaned, excess = _without_end(cleaned, excess), 0
        if not keep_newlines:
            cleaned = cleaned.replace("\n", " ")
        cleaned = shorten(cleaned, max_length)
        if cleaned == text:
            return text
        text = cleaned
    return shorten(mask(text), max_length)


def _mask_repeated(text: str, masked: str) -> str:
    """Return a masked text in which what is hidden once is hidden wherever it is, if it is no word."""
    for value in hidden_values(text, masked):
        if len(value) >= _MIN_REPEATED and value in masked and is_unlike_words(value):
            masked = masked.replace(value, mask(value))
    return masked


def _without_end(text: str, length: int) -> str:
    """Return a masked text without the last characters, and an ellipsis.

    Of `length`, a mask is as many characters as it hides. A mask at the cut stays. A word there is
    left out, because it may be a part of a longer secret.
    """
    end = len(text)
    for mask_start, mask_end, hidden in reversed(mask_spans(text)):
        if length <= end - mask_end:
            break
        length -= end - mask_end
        if length < hidden:
            return text[:mask_end] + ELLIPSIS
        length, end = length - hidden, mask_start
    kept = text[: max(end - length - 1, 0)]
    return (re.sub(r"\s\S{0,4096}\Z", "", kept) or kept) + ELLIPSIS


def clean_text(text: str, max_length: int) -> str:
    """Return the text on one line, ready to be stored, with nothing masked.

    Only for values that cannot contain a secret and must stay distinct, such as an object's id.
    """
    return shorten(normalize_text(text[:WINDOW]).replace("\n", " "), max_length)


def normalize_text(text: str) -> str:
    """Remove control characters and terminal sequences; make every line break a newline."""
    # No character that is removed or replaced is printable.
    if type(text) is str and text.replace("\n", "").isprintable():
        return text
    text = _ANSI_SEQUENCE.sub("", text)
    text = _LINE_BREAK.sub("\n", text)
    # Columns that tabs separate become columns that spaces align.
    text = text.replace("\t", "  " if _TABBED_LINES.search(text) else " ")
    return _SURROGATE.sub("\ufffd", _CONTROL_CHARACTER.sub("", text))


def shorten(text: str, max_length: int) -> str:
    """Return at most `max_length` characters, with an ellipsis at the cut and no partial mask."""
    if len(text) <= max_length:
        return text
    start = text[: max(max_length - 1, 0)]
    bracket = start.rfind("[")
    if bracket >= 0 and is_cut_mask(start[bracket:]):
        start = start[:bracket]
    return (start + ELLIPSIS)[: max(max_length, 0)]
