"""A response is parsed exactly, into what the database returns, or it is unreadable."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from providers.graph.http import Response, UnreadableResponse
from providers.graph.normalize import canonical_json
from redaction import exact_json


def parse(text: str) -> dict[str, Any]:
    return Response(200, {}, text.encode()).json()


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("0.10", "0.10"),
        ("1.0", "1.0"),
        ("0.1234567890123456789012345", "0.1234567890123456789012345"),
        ("1e16", "10000000000000000.0"),
        ("1.50E+3", "1500.0"),
        ("1e-7", "1E-7"),
        ("-0.0", "0.0"),
        ("-0e3", "0.0"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.7976931348623157E+308", f"17976931348623157{'0' * 292}.0"),
        ("5e-324", "5E-324"),
    ],
)
def test_a_number_keeps_its_digits(text: str, digits: str) -> None:
    assert exact_json.dumps(parse(f'{{"value": {text}}}')) == f'{{"value": {digits}}}'


@pytest.mark.parametrize(
    "text",
    ["1e401", "-1e-401", "1e999999999", f"1e{'9' * 30}", f"0.{'1' * 1000}", f"1e{'0' * 1000}1"],
)
def test_a_number_that_is_too_large_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableResponse, match="JSON with numbers that are too large"):
        parse(f'{{"value": {text}}}')


def test_many_short_texts_of_long_numbers_are_unreadable() -> None:
    """PostgreSQL writes the zeros of each exponent."""
    with pytest.raises(UnreadableResponse, match="too large"):
        parse(f'{{"value": [{",".join(["1e308"] * 10_000)}]}}')


@pytest.mark.parametrize(
    "pair", [("1.5", "1.50"), ("1e16", "10000000000000000.0"), ("0.0", "-0.0")]
)
def test_numbers_of_one_value_are_equal(pair: tuple[str, str]) -> None:
    first, second = (canonical_json(parse(f'{{"value": {text}}}')) for text in pair)

    assert first == second


@pytest.mark.parametrize(
    "pair",
    [
        ("0.1", "0.10000000000000001"),
        ("9007199254740992.0", "9007199254740993.0"),
        ("0.12345678901234567890", "0.12345678901234567891"),
        ("1", "1.0"),
        ("1", "true"),
    ],
)
def test_other_numbers_differ(pair: tuple[str, str]) -> None:
    first, second = (canonical_json(parse(f'{{"value": {text}}}')) for text in pair)

    assert first != second


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": [{"b": 1, "b": null}]}']
)
def test_a_property_that_occurs_twice_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableResponse):
        parse(text)


def as_earlier_versions(number: float) -> bytes:
    """Return the canonical JSON of a number in versions of Runledger that read doubles."""
    text = repr(number)
    stored = int(Decimal(text)) if "e+" in text else number or 0.0
    return json.dumps({"value": stored}, separators=(",", ":")).encode()


DIGITS = st.text("0123456789", min_size=1, max_size=40)
TEXTS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.just("0") | DIGITS.map(lambda digits: f"1{digits}"),
    st.just("") | DIGITS.map(".{}".format),
    st.just("") | st.integers(-300, 300).map("e{:+}".format),
)


class StoredNumbersTest(TestCase):
    @settings(max_examples=200, deadline=None)
    @given(TEXTS)
    def test_a_number_is_the_same_after_it_was_stored(self, text: str) -> None:
        parsed = parse(f'{{"value": {text}}}')
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::jsonb::text", [exact_json.dumps(parsed)])
            stored = json.loads(cursor.fetchone()[0], cls=exact_json.ExactDecoder)

        assert Decimal(stored["value"]) == Decimal(text)
        assert canonical_json(stored) == canonical_json(parsed)
        assert exact_json.dumps(stored) == exact_json.dumps(parsed)

    @settings(max_examples=200, deadline=None)
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_the_hashes_of_earlier_versions_stay_valid(self, number: float) -> None:
        assert canonical_json(parse(json.dumps({"value": number}))) == as_earlier_versions(number)
