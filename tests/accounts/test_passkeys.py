"""Malformed answers of a browser to the question for a passkey are refused, never an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.second_factor.passkeys import MAX_LENGTH
from tenancy.models import User
from tests.support.sessions import open_session

pytestmark = pytest.mark.django_db

ADD = "/account/second-factor/passkey/"
SIGN_IN = "/sign-in/passkey/"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


CLIENT_DATA = encoded(b'{"type": "webauthn.get", "challenge": "AA", "origin": "http://testserver"}')
VALUES: list[Any] = [
    "",
    "null",
    "[]",
    "7",
    '"text"',
    "{",
    "[" * 5000,
    "x" * (MAX_LENGTH + 1),
    {},
    {"response": []},
    {"id": 7, "rawId": 7, "type": "public-key", "response": {"clientDataJSON": 7}},
    {"id": None, "rawId": None, "response": None, "type": None},
    {"id": "AA", "rawId": "AA", "type": "public-key", "response": {}},
    *(
        {
            "id": "AA",
            "rawId": "AA",
            "type": "public-key",
            "response": {
                "clientDataJSON": CLIENT_DATA,
                "authenticatorData": data,
                "attestationObject": data,
                "signature": "AA",
                "userHandle": handle,
            },
        }
        for data in ("", "AA", "é", encoded(b"\xff" * 36), encoded(b"\xa3" + b"\x00" * 60), 7, None)
        for handle in (None, "", encoded(b"1"), encoded(b"9" * 40), encoded(b"\xff"), 7)
    ),
]


@pytest.fixture
def page(client: Client, operator: User) -> Client:
    return open_session(client, operator)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: as_text(value)[-60:])
def test_a_malformed_answer_is_refused(client: Client, operator: User, value: Any) -> None:
    assert client.get(SIGN_IN).json()["publicKey"]["challenge"]
    signed_in = client.post(SIGN_IN, {"credential": as_text(value)})
    open_session(client, operator).get(ADD)
    added = client.post(ADD, {"name": "Laptop", "credential": as_text(value)})

    assert signed_in["Location"] == "/sign-in/"
    assert added.status_code == 400
    assert not Authenticator.objects.exists()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.binary(max_size=40).map(encoded),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ("clientDataJSON", "authenticatorData", "attestationObject", "signature", "userHandle")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(response=st.fixed_dictionaries(dict.fromkeys(NAMES, JSON)), raw=JSON)
def test_no_answer_is_an_error(page: Client, response: Any, raw: Any) -> None:
    value = json.dumps({"id": raw, "rawId": raw, "type": "public-key", "response": response})

    page.get(ADD)
    assert page.post(ADD, {"name": "Laptop", "credential": value}).status_code == 400
    anonymous = Client()
    anonymous.get(SIGN_IN)
    assert anonymous.post(SIGN_IN, {"credential": value}).status_code == 302


def test_an_answer_without_a_question_is_refused(client: Client) -> None:
    assert client.post(SIGN_IN, {"credential": as_text(VALUES[-1])})["Location"] == "/sign-in/"


def test_a_passkey_has_a_name(page: Client) -> None:
    assert page.post(ADD, {"name": "", "credential": "{}"}).status_code == 400
    assert page.post(ADD, {"name": "x" * 61, "credential": "{}"}).status_code == 400
