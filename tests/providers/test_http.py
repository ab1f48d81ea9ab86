"""A response is parsed into what the database returns, or it is unreadable."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from providers.graph.http import Response, UnreadableResponse
from providers.graph.normalize import canonical_json


def parse(text: str) -> dict[str, Any]:
    return Response(200, {}, text.encode()).json()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e16", 10**16),
        ("1E+23", 10**23),
        ("-0.0", 0.0),
        ("0.10", 0.1),
        ("1e-7", 1e-07),
        ("12345678901234567890", 12345678901234567890),
    ],
)
def test_numbers_have_the_form_that_the_database_returns(text: str, value: float) -> None:
    parsed = parse(f'{{"value": {text}}}')["value"]

    assert repr(parsed) == repr(value)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": {"b": 1, "b": 1}}', '{"a": [{"b": 1, "b": null}]}']
)
def test_a_property_that_occurs_twice_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableResponse):
        parse(text)


class StoredNumbersTest(TestCase):
    @settings(max_examples=300, deadline=None)
    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_a_number_is_the_same_after_it_was_stored(self, number: float) -> None:
        parsed = parse(json.dumps({"value": number}))
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::jsonb", [json.dumps(parsed)])
            (text,) = cursor.fetchone()
        stored = json.loads(text)

        assert canonical_json(stored) == canonical_json(parsed)
        assert math.isclose(stored["value"], number, rel_tol=1e-15)
