"""The words that languages know, and those that only passwords are made of."""

from __future__ import annotations

import pytest

from redaction.vocabulary import is_unknown_word, make_filter


@pytest.mark.parametrize(
    "word",
    [
        "required",
        "abgelaufen",
        "obligatoire",
        "incorrecta",
        "ongewijzigd",
        "wymagane",
        "writeback",
    ],
)
def test_a_word_of_a_language_is_known(word: str) -> None:
    assert not is_unknown_word(word)


@pytest.mark.parametrize("word", ["kettleotter", "willowharbor", "tundraharbor", "coyoteglacier"])
def test_two_words_that_are_joined_are_unknown(word: str) -> None:
    assert is_unknown_word(word)


@pytest.mark.parametrize("word", ["otterx", "Kettleotter", "kettle-otter", "kettleotter7", ""])
def test_what_is_no_word_of_small_letters_is_not_unknown(word: str) -> None:
    assert not is_unknown_word(word)


def test_a_word_about_a_secret_is_not_unknown() -> None:
    assert not is_unknown_word("wachtwoordbeleid")


def test_a_filter_knows_its_words_and_few_others(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [f"known{first}{second}word" for first in "abcdefghij" for second in "abcdefghij"]
    monkeypatch.setattr("redaction.vocabulary._filter", make_filter(known))

    assert not any(map(is_unknown_word, known))
    others = [f"other{first}{second}word" for first in "abcdefghij" for second in "abcdefghij"]
    assert sum(map(is_unknown_word, others)) >= 90
