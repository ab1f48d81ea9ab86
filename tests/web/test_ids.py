"""Parsing of row ids."""

from __future__ import annotations

import pytest

from web.ids import parse_id, parse_ids


@pytest.mark.parametrize(
    ("text", "row_id"),
    [
        ("7", 7),
        ("007", 7),
        ("0", 0),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.0", None),
        ("1_0", None),
        (" 1", None),
        ("1\n", None),
        ("١", None),  # noqa: RUF001 - a digit, but not an ASCII one
        ("x", None),
    ],
)
def test_an_id_is_one_to_eighteen_ascii_digits(text: str, row_id: int | None) -> None:
    assert parse_id(text) == row_id


def test_other_texts_are_left_out_of_a_list() -> None:
    assert parse_ids(["3", "x", "1", ""]) == [3, 1]
