"""A stored credential decrypts only in its row, with its key, and undamaged."""

from __future__ import annotations

import base64
import re

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from tenancy.crypto import (
    ENVELOPE_PATTERN,
    CredentialUnreadable,
    KeyRing,
    Place,
    key_id_of,
    new_key,
    parse_key_ring,
)

HERE = Place(scope_id=1, row_id=7)
SECRET = "Q~w8-canary-secret"
# Constant, because every process must collect the same cases.
KEY = base64.b64encode(b"k" * 32).decode()
RING = KeyRing({"v2": b"2" * 32, "v1": b"1" * 32})


def test_an_encrypted_text_can_be_decrypted():
    assert RING.decrypt(RING.encrypt(SECRET, HERE), HERE) == SECRET


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_preserved(text):
    assert RING.decrypt(RING.encrypt(text, HERE), HERE) == text


def test_an_empty_text_cannot_be_encrypted():
    with pytest.raises(ValueError, match="empty"):
        RING.encrypt("", HERE)


def test_the_same_secret_is_encrypted_differently_each_time():
    assert RING.encrypt(SECRET, HERE) != RING.encrypt(SECRET, HERE)


def test_an_envelope_matches_the_pattern_of_the_database():
    envelope = RING.encrypt("x", HERE)

    assert re.match(ENVELOPE_PATTERN, envelope)
    assert key_id_of(envelope) == "v2"


def test_the_first_key_encrypts_and_every_key_decrypts():
    old = KeyRing({"v1": b"1" * 32}).encrypt(SECRET, HERE)

    assert RING.decrypt(old, HERE) == SECRET
    assert key_id_of(RING.encrypt(SECRET, HERE)) == "v2"


@pytest.mark.parametrize(
    "place",
    [
        Place(scope_id=2, row_id=7),
        Place(scope_id=1, row_id=8),
        Place(scope_id=7, row_id=1),
        Place(scope_id=1, row_id=7, field="other"),
    ],
)
def test_a_credential_copied_to_another_row_does_not_decrypt(place):
    with pytest.raises(CredentialUnreadable, match="another row"):
        RING.decrypt(RING.encrypt(SECRET, HERE), place)


def test_every_flipped_bit_is_detected():
    envelope = RING.encrypt(SECRET, HERE)
    head, _, body = envelope.rpartition(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))

    for bit in range(len(raw) * 8):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        text = base64.urlsafe_b64encode(bytes(damaged)).rstrip(b"=").decode()
        with pytest.raises(CredentialUnreadable):
            RING.decrypt(f"{head}.{text}", HERE)


def test_every_truncation_is_detected():
    envelope = RING.encrypt(SECRET, HERE)

    for length in range(len(envelope)):
        with pytest.raises(CredentialUnreadable):
            RING.decrypt(envelope[:length], HERE)


@pytest.mark.parametrize(
    "stored",
    ["", SECRET, "rl1.v1", "rl1..AAAA", "rl2.v1." + "A" * 60, "rl1.v1." + "!" * 60,
     "rl1.v1." + "A" * 41, "rl1.v1." + "A" * 60 + "\n", "rl1.v1." + "é" * 60],
)  # fmt: skip
def test_any_other_text_is_rejected(stored):
    with pytest.raises(CredentialUnreadable):
        RING.decrypt(stored, HERE)


def test_a_key_that_is_not_in_the_ring_is_named():
    envelope = KeyRing({"v9": b"9" * 32}).encrypt(SECRET, HERE)

    with pytest.raises(CredentialUnreadable, match="v9"):
        RING.decrypt(envelope, HERE)


def test_relabeling_the_key_does_not_decrypt():
    envelope = RING.encrypt(SECRET, HERE)
    same_key_twice = KeyRing({"v1": b"2" * 32, "v2": b"2" * 32})

    with pytest.raises(CredentialUnreadable):
        same_key_twice.decrypt(envelope.replace("rl1.v2.", "rl1.v1."), HERE)


def test_an_error_contains_no_part_of_the_credential():
    envelope = RING.encrypt(SECRET, HERE)

    with pytest.raises(CredentialUnreadable) as caught:
        RING.decrypt(envelope, Place(2, 2))

    assert SECRET not in repr(caught.value)
    assert envelope not in repr(caught.value)
    assert "2222" not in repr(RING)


def test_a_key_ring_is_parsed_from_its_setting():
    ring = parse_key_ring(f" v2:{new_key()} , v1:{new_key()},")

    assert ring.current == "v2"


@pytest.mark.parametrize(
    "text",
    ["", ",", "v1", "v1:", "v1:short", "v1:" + "!" * 44, f":{KEY}", f"a b:{KEY}",
     f"v1:{KEY},v1:{KEY}", "v1:" + base64.b64encode(b"x" * 31).decode()],
)  # fmt: skip
def test_an_invalid_setting_is_rejected_without_displaying_it(text):
    with pytest.raises(ImproperlyConfigured) as caught:
        parse_key_ring(text)

    values = [part.partition(":")[2] for part in text.split(",") if len(part) > 8]
    assert not any(value and value in str(caught.value) for value in values)
