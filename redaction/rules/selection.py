"""The rules that a text can match, found by its words before any pattern is tried."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from redaction.letters import is_like_secret
from redaction.naming import places_of_names
from redaction.patterns import NAME_PARTS
from redaction.rules.rule import NAME_HINTS, Rule

# Most texts of a policy are ids of settings and their options, or plain sentences.
_ONE_WORD = re.compile(r"[\w.\-~\#{}]*", re.ASCII)
_PLAIN_WORDS = re.compile(r"[A-Za-z .,;]*(?:(?<=[a-z])-[a-z][A-Za-z .,;]*)*")
_MAX_ORDINARY_WORDS = 8192


class Selection:
    """Selects the rules that a text can match.

    What a text contains is a number: bits for the rules one of whose hints it has, for those one of
    whose needs it has, for each hint of several words one of which it has, and for a name. The
    numbers of ordinary words, which no secret is like, are kept, as most texts have the same ones.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = {1 << place: rule for place, rule in enumerate(rules)}
        self._rules_of_words = [rule for rule in rules if rule.in_word]
        self._all = (1 << len(rules)) - 1
        self._named = _bits(rule.needs_name for rule in rules)
        self._in_words = _bits(rule.in_words for rule in rules)
        self._unlike_words = _bits(rule.unlike_words for rule in rules)
        self._needs_place = len(rules)
        self._name_bit = 1 << 2 * len(rules)
        self._phrases_place = 2 * len(rules) + 1
        #: What every text has: a name is the hint of the rules that `NAME_HINTS` is given for.
        self._always = _bits(rule.hints is NAME_HINTS for rule in rules)
        self._always |= _bits(not rule.needs for rule in rules) << self._needs_place
        self._spaces: list[tuple[str, int]] = []
        self._phrases: list[tuple[str, int]] = []
        self._characters: list[tuple[str, int]] = []
        self._by_pair: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self._index()
        self._ordinary_words: dict[str, int] = {}

    def select(self, text: str, lowered: str) -> tuple[Iterable[Rule], list[int]]:
        """Return the rules that a text can match, in their order, and where names begin in it."""
        if _ONE_WORD.fullmatch(text):
            return [r for r in self._rules_of_words if any(h in lowered for h in r.hints)], []
        contents, has_unlike = self._contents(text)
        for hint, rules in self._spaces:
            if hint in lowered:
                contents |= rules
        for hint, rules in _chosen(self._phrases, contents >> self._phrases_place):
            if hint in lowered:
                contents |= rules
        # A few capital letters have two small ones: then a name may be where no part of one is.
        may_have_name = contents & self._name_bit or len(lowered) != len(text)
        places = places_of_names(text) if may_have_name else []
        rules = contents & contents >> self._needs_place & self._all
        if not places:
            rules &= ~self._named
        if not has_unlike:
            rules &= ~self._unlike_words
        if _PLAIN_WORDS.fullmatch(text):
            rules &= self._in_words
        return self._at(rules), places

    def _contents(self, text: str) -> tuple[int, bool]:
        """Return what the words of a text contain, and whether one of them is like a secret."""
        contents = self._always
        unlike = []
        for word in set(text.split()):
            number = self._ordinary_words.get(word)
            if number is None:
                if is_like_secret(word):
                    unlike.append(word)
                    continue
                number = self._contents_of(word.lower())
                if len(self._ordinary_words) >= _MAX_ORDINARY_WORDS:
                    self._ordinary_words.clear()
                self._ordinary_words[word] = number
            contents |= number
        if unlike:
            contents |= self._contents_of(" ".join(unlike).lower())
        return contents, bool(unlike)

    def _contents_of(self, words: str) -> int:
        """Return what words in lower case contain."""
        contents = 0
        for character, number in self._characters:
            if character in words:
                contents |= number
        for pair in self._by_pair.keys() & set(map(str.__add__, words, words[1:])):
            for hint, number in self._by_pair[pair]:
                if hint in words:
                    contents |= number
        return contents

    def _at(self, bits: int) -> Iterator[Rule]:
        """Yield the rules whose bit is set."""
        while bits:
            bit = bits & -bits
            yield self._rules[bit]
            bits ^= bit

    def _index(self) -> None:
        """Index the hints: by two characters they begin with, as only one, or by their words."""
        numbers: dict[str, int] = defaultdict(int)
        for bit, rule in self._rules.items():
            for hint in rule.hints:
                numbers[hint] |= bit
            for hint in rule.needs:
                numbers[hint] |= bit << self._needs_place
        for hint in list(numbers):
            words = hint.split()
            if not words:
                self._spaces.append((hint, numbers.pop(hint)))
            elif words != [hint]:
                numbers[max(words, key=len)] |= 1 << self._phrases_place + len(self._phrases)
                self._phrases.append((hint, numbers.pop(hint)))
        for part in NAME_PARTS:
            numbers[part] |= self._name_bit
        for hint, number in numbers.items():
            if len(hint) == 1:
                self._characters.append((hint, number))
            else:
                self._by_pair[hint[:2]].append((hint, number))


def _bits(chosen: Iterable[bool]) -> int:
    return sum(1 << place for place, is_chosen in enumerate(chosen) if is_chosen)


def _chosen(hints: Sequence[tuple[str, int]], bits: int) -> Iterator[tuple[str, int]]:
    """Yield the hints at the places whose bit is set."""
    while bits:
        place = (bits & -bits).bit_length() - 1
        yield hints[place]
        bits &= bits - 1
