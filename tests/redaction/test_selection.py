"""The rules that are tried on a text: no fewer than its hints ask for."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from redaction.naming import places_of_names
from redaction.patterns import NAME_PARTS
from redaction.rules import RULES
from redaction.rules import selection as selection_module
from redaction.rules.rule import NAME_HINTS, Rule
from redaction.rules.selection import Selection
from redaction.words import PASSWORDS, words

OWNERS = ("api", "master", "unlock", "device", "lock", "smtp", "client", "shared", "code", "snmp")
GAPS = ("", " ", "_")
NOUNS = ("key", "secret", "code", "pin", "pw", "pass", "string", "verifier", "community")


def rule(name: str, *hints: str, **options: object) -> Rule:
    fields: dict[str, Any] = {"in_words": True} | options
    return Rule(name, hints, pattern="x", replacement="", rationale="", **fields)


def selected(selection: Selection, text: str) -> list[str]:
    rules, _ = selection.select(text, text.lower())
    return [each.name for each in rules]


@pytest.mark.parametrize(
    ("hint", "text", "is_in"),
    [
        ("curl", "try curl here", True),
        ("curl", "try cur l here", False),
        ("curl", "a recurling", True),
        ("-", "a well-known text", True),
        ("pw ", "a pw of mine", True),
        ("pw ", "a pwd of mine", False),
        ("pw ", "this is a pw", False),
        (" -p", "tool -port now", True),
        (" -p", "tool-port now", False),
        ("auth md5", "an auth md5 text", True),
        ("auth md5", "md5 or auth text", False),
        ("\n", "two\nlines", True),
        ("\n", "one line", False),
        ("  ", "two  spaces", True),
        ("код", "ваш КОД от двери", True),
    ],
)
def test_a_rule_is_tried_on_a_text_with_its_hint(hint: str, text: str, is_in: bool) -> None:
    selection = Selection([rule("any", "any"), rule("this", hint)])

    assert selected(selection, text) == (["this"] if is_in else [])
    assert selected(selection, f"Xk29!dkeo {text}") == (["this"] if is_in else [])
    assert selected(selection, text) == (["this"] if is_in else []), "the same words again"


def test_a_rule_with_needs_is_tried_if_one_of_each_is_there() -> None:
    selection = Selection([rule("this", "echo", "printf", needs=("|", "pass"))])

    assert selected(selection, "echo a | b") == ["this"]
    assert selected(selection, "printf the pass") == ["this"]
    assert selected(selection, "echo a to b") == []
    assert selected(selection, "a | b, pass") == []


def test_a_rule_for_what_no_word_is_like_needs_such_a_word() -> None:
    selection = Selection([rule("this", "curl", unlike_words=True)])

    assert selected(selection, "curl: a text") == []
    assert selected(selection, "curl: Xk29!dkeo") == ["this"]


def test_a_rule_with_a_name_needs_one() -> None:
    selection = Selection(
        [rule("hint", "curl", after_name=True), rule("name", *NAME_HINTS, with_name=True)]
    )

    assert selected(selection, "curl: the color") == []
    assert selected(selection, "curl: the password") == ["hint", "name"]
    assert selected(selection, "say: the password") == ["name"]


def test_rules_are_tried_in_their_order() -> None:
    hints = [f"{first}{second}" for first in "abc" for second in "xyz"]
    selection = Selection([rule(hint, hint) for hint in hints])

    assert selected(selection, f"{' '.join(reversed(hints))}:") == hints


@pytest.mark.parametrize("each", RULES, ids=lambda each: each.name)
def test_a_rule_is_selected_for_each_of_its_hints(each: Rule) -> None:
    selection = Selection(RULES)

    for hint in each.hints:
        for need in each.needs or ("",):
            text = f'"{need} " Xk29!dkeo: {hint} password'
            if not each.in_words:
                assert each.name in selected(selection, text)


def test_words_that_a_secret_is_like_are_not_kept() -> None:
    selection = Selection(RULES)

    selection.select("the password is Xk29!dkeo, now", "the password is xk29!dkeo, now")

    assert selection._ordinary_words.keys() == {"the", "password", "is", "now"}


def test_a_bounded_number_of_words_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "_MAX_ORDINARY_WORDS", 5)
    selection = Selection(RULES)

    for first in "abcdef":
        text = " ".join(f"{first}{second}:" for second in "klm")
        selection.select(text, text)

    assert len(selection._ordinary_words) <= 5


def test_rules_for_one_word_are_tried_on_it() -> None:
    selection = Selection([rule("any", "s."), rule("this", "s.", in_word=True)])

    assert selected(selection, "s.a1b2c3") == ["this"]
    assert selected(selection, "t.a1b2c3") == []


@pytest.mark.parametrize("name", [*words(PASSWORDS), *map("".join, product(OWNERS, GAPS, NOUNS))])
def test_a_name_has_a_part_of_names(name: str) -> None:
    if places_of_names(name):
        assert any(part in name.lower() for part in NAME_PARTS)


@pytest.mark.parametrize("part", sorted(NAME_PARTS))
def test_parts_of_names_are_in_lower_case_without_spaces(part: str) -> None:
    assert part
    assert part == part.lower()
    assert part.split() == [part]
