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
    places = places_of_names(text)
    is_current = True
    for rule in _rules_for(text, lowered, has_name=bool(places)):
        if not rule.is_possible(lowered, is_ascii=is_ascii):
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


def _rules_for(text: str, lowered: str, *, has_name: bool) -> Iterable[Rule]:
    """Return the rules that a text can match, by its names, hints and characters."""
    if _ONE_WORD.fullmatch(text):
        kind = _Kind.WORD
    elif _PLAIN_WORDS.fullmatch(text):
        kind = _Kind.WORDS if has_word_like_secret(text) else _Kind.ORDINARY_WORDS
    elif has_word_like_secret(text):
        kind = _Kind.ANY
    else:
        kind = _Kind.ORDINARY
    rules = _rules_with_name(kind) if has_name else 0
    for hint, rules_of_hint in _rules_by_hint(kind, lowered.isascii()):
        if hint in lowered:
            rules |= rules_of_hint
    return _rules_at(rules) if rules else ()


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
def _rules_with_name(kind: _Kind) -> int:
    """Return the rules that a text with the name of a secret can match, as bits for their places."""
    return sum(1 << RULES.index(rule) for rule in _rules_of(kind) if rule.needs_name)


@functools.cache
def _rules_by_hint(kind: _Kind, is_ascii: bool) -> tuple[tuple[str, int], ...]:
    """Return the hints, or those in ASCII, without those that contain another one.

    Beside each are the rules without a name that a text with it can match: a bit for the place of each.
    """
    bits = {rule.name: 1 << place for place, rule in enumerate(RULES)}
    rules = {rule: rule.needs or rule.hints for rule in _rules_of(kind) if not rule.needs_name}
    hints = {hint for each in rules.values() for hint in each if hint.isascii() or not is_ascii}
    shortest = [h for h in sorted(hints) if not any(other in h for other in hints - {h})]
    return tuple(
        (hint, sum(bits[r.name] for r, each in rules.items() if any(hint in h for h in each)))
        for hint in shortest
    )


@functools.lru_cache(maxsize=1024)
def _rules_at(bits: int) -> tuple[Rule, ...]:
    """Return the rules at the places whose bit is set."""
    return tuple(rule for place, rule in enumerate(RULES) if bits >> place & 1)
