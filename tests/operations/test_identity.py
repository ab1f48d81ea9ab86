"""Requests with the same scope, identity group and inputs have the same identity."""

from __future__ import annotations

import datetime as dt
import unicodedata
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.identity import identity_json, run_identity_hash

SCOPE = {"workspace_id": 1, "tenant_id": 2}


def identity(inputs: dict[str, object], **changes: object) -> str:
    return run_identity_hash(**({**SCOPE, "group": "backup_schedule", "inputs": inputs} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "changes", "expected"),
    [
        ({}, {}, "ac2f568610b6c970daa3e8786310efcb643abbc2303f2af196f8cf5a4d0a6102"),
        (
            {"backup_schedule_id": 7},
            {},
            "a1625f62d60d88ff4bd28279b3335de788a1cb8f4c01fd4321296c6192bc0388",
        ),
        (
            {"backup_schedule_id": 7},
            {"tenant_id": None},
            "33a418161079db5d0017de7a65fcb791e1ce49365775fe108afa3f7620d1e6cd",
        ),
        (
            {
                "kinds": {"compliance", "settings_catalog"},
                "name": "Bücher",
                "at": dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC),
                "deep": {"list": [1, None, True]},
            },
            {},
            "e0a7e79916ae3d27dc4f68dc88b70162738e9d0c6457d2fcf3392f45260f21eb",
        ),
    ],
)
def test_the_identity_of_a_request_never_changes_between_versions(
    inputs: dict[str, object], changes: dict[str, object], expected: str
) -> None:
    assert identity(inputs, **changes) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of keys"),
        pytest.param({"n": "Caf\u00e9"}, {"n": "Cafe\u0301"}, id="NFC and NFD"),
        pytest.param({"Caf\u00e9": 1}, {"Cafe\u0301": 1}, id="NFC and NFD in keys"),
        pytest.param({"s": {"b", "a"}}, {"s": {"a", "b"}}, id="order of a set"),
        pytest.param({"s": {"é", "e\u0301"}}, {"s": {"é"}}, id="twins in a set"),
        pytest.param({"s": {1, 2}}, {"s": frozenset((2, 1))}, id="kinds of sets"),
        pytest.param({"l": [1, 2]}, {"l": (1, 2)}, id="list and tuple"),
        pytest.param(
            {"at": dt.datetime(2026, 3, 8, 8, tzinfo=ZoneInfo("Europe/Berlin"))},
            {"at": dt.datetime(2026, 3, 8, 2, tzinfo=ZoneInfo("America/New_York"))},
            id="one moment in two zones",
        ),
        pytest.param(
            {"id": uuid.UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")},
            {"id": "6f9619ff-8b86-d011-b42d-00c04fc964ff"},
            id="a UUID and its text",
        ),
    ],
)
def test_equivalent_requests_have_the_same_identity(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="value"),
        pytest.param({"a": 1}, {"b": 1}, id="key"),
        pytest.param({"a": 1}, {"a": "1"}, id="number and text"),
        pytest.param({"a": 1}, {"a": True}, id="number and boolean"),
        pytest.param({"a": None}, {}, id="null and absent"),
        pytest.param({"l": [1, 2]}, {"l": [2, 1]}, id="order of a list"),
        pytest.param({"a": "x"}, {"a": "X"}, id="case"),
        pytest.param({"a": "b,c"}, {"a": ["b", "c"]}, id="text and list"),
        pytest.param({"a": {"b": 1}}, {"a": {}, "b": 1}, id="depth"),
    ],
)
def test_different_requests_have_different_identities(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert identity(one) != identity(other)


@pytest.mark.parametrize(
    "change", [{"workspace_id": 9}, {"tenant_id": 9}, {"tenant_id": None}, {"group": "inventory"}]
)
def test_scope_and_identity_group_are_part_of_the_identity(change: dict[str, object]) -> None:
    assert identity({"a": 1}, **change) != identity({"a": 1})


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        float("nan"),
        b"x",
        bytearray(b"x"),
        Decimal(1),
        object(),
        dt.datetime(2026, 3, 8),  # noqa: DTZ001 - naive on purpose
        {1: "a key that is not text"},
    ],
)
def test_values_without_a_canonical_form_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        identity({"deep": [{"value": value}]})


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abcdé", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(inputs=st.dictionaries(st.text("abcdé", max_size=3), plain, max_size=5))
def test_key_order_and_unicode_form_do_not_matter(inputs: dict[str, object]) -> None:
    equivalent = {
        unicodedata.normalize("NFD", key): value for key, value in reversed(inputs.items())
    }

    assert identity(equivalent) == identity(inputs)


@given(one=plain, other=plain)
def test_different_canonical_texts_mean_different_identities(one: object, other: object) -> None:
    same_text = identity_json({"v": one}) == identity_json({"v": other})

    assert (identity({"v": one}) == identity({"v": other})) == same_text


@given(
    moment=st.datetimes(
        min_value=dt.datetime(1970, 1, 2),  # noqa: DTZ001
        max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(dt.UTC),
    ),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_a_moment_is_the_same_in_every_zone(moment: dt.datetime, zone: str) -> None:
    assert identity({"at": moment.astimezone(ZoneInfo(zone))}) == identity({"at": moment})
