"""The context of a run is typed, redacted and limited in size."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from operations.context import KNOWN_KEYS, ContextError, build_context, format_slot, parse_slot

EXAMPLES: dict[type, object] = {int: 7, str: "2026-03-08T07:00Z", dict: {"count": 3}}


@pytest.mark.parametrize("key", [key for key in KNOWN_KEYS if key != "idempotency"])
def test_every_known_key_accepts_its_type(key: str) -> None:
    value = EXAMPLES[KNOWN_KEYS[key].type]

    assert build_context({key: value}, {})[key] == value


@pytest.mark.parametrize("key", [key for key in KNOWN_KEYS if key != "idempotency"])
@pytest.mark.parametrize("value", [None, True, [], 1.5])
def test_a_known_key_refuses_any_other_type(key: str, value: object) -> None:
    with pytest.raises(ContextError, match=key):
        build_context({key: value}, {})


def test_unknown_keys_are_stored() -> None:
    assert build_context({"ticket": "INC-1"}, {})["ticket"] == "INC-1"


def test_the_inputs_are_stored_under_idempotency() -> None:
    context = build_context({"policy_id": 3, "idempotency": {"forged": 1}}, {"policy_id": 3})

    assert context["idempotency"] == {"policy_id": 3}


def test_secrets_are_redacted_by_value_and_by_key() -> None:
    canary = "Xq8~Canary-7sVwLk2mPz9TfRbN4hJc6Yd1"
    context = build_context(
        {"client_secret": canary, "note": f"Authorization: Bearer {canary}"}, {"password": canary}
    )

    assert canary not in str(context)


def test_the_original_context_is_not_modified() -> None:
    original = {"target_scope": {"kinds": ["compliance"]}}

    build_context(original, {})

    assert original == {"target_scope": {"kinds": ["compliance"]}}


def test_a_context_that_is_too_large_is_refused() -> None:
    with pytest.raises(ContextError, match="larger than 64 KB"):
        build_context({"note": ["word " * 150] * 100}, {})


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        (dt.datetime(2026, 3, 8, 7, tzinfo=dt.UTC), "2026-03-08T07:00Z"),
        (dt.datetime(2026, 3, 8, 8, tzinfo=ZoneInfo("Europe/Berlin")), "2026-03-08T07:00Z"),
        (dt.datetime(2026, 10, 4, 2, 45, tzinfo=ZoneInfo("Asia/Kathmandu")), "2026-10-03T21:00Z"),
    ],
)
def test_a_slot_is_a_whole_minute_in_utc(slot: dt.datetime, text: str) -> None:
    assert format_slot(slot) == text
    assert parse_slot(text) == slot


@pytest.mark.parametrize(
    "slot",
    [
        dt.datetime(2026, 3, 8, 7),  # noqa: DTZ001 - naive on purpose
        dt.datetime(2026, 3, 8, 7, 0, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 8, 7, 0, 0, 1, tzinfo=dt.UTC),
    ],
)
def test_a_time_that_is_not_a_whole_aware_minute_is_refused(slot: dt.datetime) -> None:
    with pytest.raises(ContextError, match="whole minute"):
        format_slot(slot)
