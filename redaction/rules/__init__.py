"""Formats of secrets: rules by where a secret stands, applied in order.

All patterns ignore case and are verbose; see `redaction.patterns` for their building blocks.
"""

from __future__ import annotations

import re

from redaction.argument_lists import mask_argument_lists
from redaction.markers import mask_markers
from redaction.naming import places_of_names
from redaction.queries import mask_sentences
from redaction.rules import (
    addresses,
    codes,
    commands,
    devices,
    elements,
    formats,
    names,
    personal,
    sentences,
    shapes,
    tables,
)
from redaction.rules.rule import Rule
from redaction.rules.selection import Selection

RULES: tuple[Rule, ...] = (
    *formats.RULES,
    *addresses.RULES,
    *codes.RULES,
    *names.RULES,
    *elements.RULES,
    *commands.RULES,
    *devices.RULES,
    *sentences.RULES,
    *tables.RULES,
    *shapes.RULES,
    *personal.RULES,
)
_selection = Selection(RULES)
# A text of several words in quotation marks, and no apostrophes.
_QUOTED = re.compile(
    r"""(?<![\w\\])(?P<q>["'])(?P<value>(?=[^"'\n]{0,80}[ :\\])(?:(?!(?P=q))[^\n\\]|\\.){12,4000})(?P=q)(?!\w)"""
)
# An escaped character, and no control character, backslash or half of a character.
_ESCAPED_CHARACTER = re.compile(
    r"(?<!\\)\\u(?!00[01]|005c|007f|d[89a-f])([0-9a-f]{4})", re.IGNORECASE
)
_LAST_ASCII = 0x7F
# An escaped line break, and not the start of a share's address: `\\nas01\share`, `C:\nginx`.
_ESCAPED_BREAK = re.compile(r"(?<![\s\"'=(,;][\\])(?<!\A\\)(?<![\s\"'=(,;][A-Za-z]:)\\n")


def mask_secret_formats(text: str) -> str:
    """Return the text with every value masked that has the format of a secret.

    A line break can be escaped, as in the log. A text in quotation marks, as the argument of an
    exception or a member of JSON, is also read alone: a line in it begins after the quotation mark.
    """
    if _ESCAPED_BREAK.search(text):
        text = "\n".join(map(_mask_escaped_lines, text.split("\n")))
    text = mask_sentences(mask_markers(text), _mask_formats)
    text = mask_argument_lists(_mask_formats(text), _mask_formats)
    return _QUOTED.sub(_mask_quoted, text) if '"' in text or "'" in text else text


def _mask_quoted(match: re.Match[str]) -> str:
    quote, value = match["q"], match["value"]
    plain = value.replace(f"\\{quote}", quote)
    plain = _ESCAPED_CHARACTER.sub(lambda escaped: chr(int(escaped[1], 16)), plain)
    masked = mask_secret_formats(plain)
    if masked == plain:
        return match[0]
    codes = {int(code, 16): rf"\u{code}" for code in _ESCAPED_CHARACTER.findall(value)}
    not_ascii = {code: escaped for code, escaped in codes.items() if code > _LAST_ASCII}
    masked = masked.replace(quote, f"\\{quote}").translate(not_ascii)
    return f"{quote}{masked}{quote}"


def _mask_escaped_lines(line: str) -> str:
    if not _ESCAPED_BREAK.search(line):
        return line
    return mask_secret_formats(_ESCAPED_BREAK.sub("\n", line)).replace("\n", r"\n")


def _mask_formats(text: str) -> str:
    lowered = text.lower()
    rules, places = _selection.select(text, lowered)
    is_current = True
    for rule in rules:
        if not rule.is_possible(lowered):
            continue
        if rule.after_name:
            places = places if is_current else places_of_names(text)
            is_current = True
            masked = rule.mask_at(text, places)
        else:
            masked = rule.mask(text)
        if masked != text:
            text, is_current = masked, False
    return text
