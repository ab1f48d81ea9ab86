"""Formats of secrets: rules by where a secret stands, applied in order.

All patterns ignore case and are verbose; see `redaction.patterns` for their building blocks.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterable

from redaction.argument_lists import mask_argument_lists
from redaction.letters import has_word_like_secret
from redaction.markers import mask_markers
from redaction.naming import places_of_names
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
# Most texts of a policy are ids of settings and their options, or plain sentences.
_ONE_WORD = re.compile(r"[\w.\-~\#{}]*", re.ASCII)
_PLAIN_WORDS = re.compile(r"[A-Za-z .,;]*(?:(?<=[a-z])-[a-z][A-Za-z .,;]*)*")


def mask_secret_formats(text: str) -> str:
    """Return the text with every value masked that has the format of a secret."""
    return mask_argument_lists(_mask_formats(mask_markers(text)), _mask_formats)


def _mask_formats(text: str) -> str:
    lowered = text.lower()
    is_ascii = lowered.isascii()
    places: list[int] | None = None
    for rule in _rules_for(text, lowered, is_ascii=is_ascii):
        if not rule.is_possible(lowered, is_ascii=is_ascii):
            continue
        if rule.after_name:
            places = places_of_names(text) if places is None else places
            masked = rule.mask_at(text, places)
        else:
            masked = rule.mask(text)
        if masked != text:
            text, places = masked, None
    return text


def _rules_for(text: str, lowered: str, *, is_ascii: bool) -> Iterable[Rule]:
    """Return the rules that a text can match, by the hints and the characters that it has."""
    if _ONE_WORD.fullmatch(text):
        kind = _Kind.WORD
    elif _PLAIN_WORDS.fullmatch(text):
        kind = _Kind.WORDS if has_word_like_secret(text) else _Kind.ORDINARY_WORDS
    elif has_word_like_secret(text):
        kind = _Kind.ANY
    else:
        kind = _Kind.ORDINARY
    hints = tuple([hint for hint in _shortest_hints(kind, is_ascii) if hint in lowered])
    return _rules_with(kind, hints) if hints else ()


class _Kind(enum.Enum):
    """What a text consists of, which decides on the rules that it can match."""

    WORD = enum.auto()
    ORDINARY_WORDS = enum.auto()
    WORDS = enum.auto()
    ORDINARY = enum.auto()
    ANY = enum.auto()


def _rules_of(kind: _Kind) -> tuple[Rule, ...]:
    """Return the rules that a text of this kind can match."""
    if kind is _Kind.WORD:
        return tuple(rule for rule in RULES if rule.in_word)
    is_ordinary = kind in (_Kind.ORDINARY_WORDS, _Kind.ORDINARY)
    is_words = kind in (_Kind.ORDINARY_WORDS, _Kind.WORDS)
    return tuple(
        rule
        for rule in RULES
        if (rule.in_words or not is_words) and not (rule.unlike_words and is_ordinary)
    )


@functools.cache
def _shortest_hints(kind: _Kind, is_ascii: bool) -> tuple[str, ...]:
    """Return the hints of these rules, or those in ASCII, without those that contain another one."""
    hints = {hint for rule in _rules_of(kind) for hint in rule.needs or rule.hints}
    hints = {hint for hint in hints if hint.isascii() or not is_ascii}
    return tuple(h for h in sorted(hints) if not any(other in h for other in hints - {h}))


@functools.lru_cache(maxsize=1024)
def _rules_with(kind: _Kind, hints: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules that a text can match if it has these of the shortest hints."""
    return tuple(
        rule
        for rule in _rules_of(kind)
        if any(hint in each for each in rule.needs or rule.hints for hint in hints)
    )
