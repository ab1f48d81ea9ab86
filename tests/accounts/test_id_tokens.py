"""ID tokens are accepted only if the provider signed them for this sign-in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from accounts.id_tokens import is_signed_in_since, verify_id_token
from accounts.identity_providers import IdentityRefused

RSA = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC = RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
ISSUER = "https://login.example.com/t/v2.0"


def jwk(key: Any, kid: str, **more: str) -> dict[str, Any]:
    algorithm = jwt.algorithms.ECAlgorithm if key is EC else jwt.algorithms.RSAAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig", **more}


KEYS = {"keys": [jwk(RSA, "one"), jwk(EC, "two")]}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    valid = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": "client",
        "exp": now + 300,
        "iat": now,
        "nonce": "n-1",
    } | changes
    return {name: value for name, value in valid.items() if value is not None}


def token(key: Any = RSA, algorithm: str = "RS256", kid: str = "one", **changes: Any) -> str:
    """A token; a claim that is None is left out."""
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid})


def verify(text: str) -> dict[str, Any]:
    return verify_id_token(text, keys=KEYS, issuer=ISSUER, client_id="client", nonce="n-1")


@pytest.mark.parametrize(
    "create",
    [
        token,
        lambda: token(EC, "ES256", "two"),
        lambda: token(aud=["client", "another"], azp="client"),
        lambda: token(exp=int(time.time()) - 30),
    ],
    ids=["RSA", "EC", "several audiences", "within the leeway"],
)
def test_a_valid_token_names_its_user(create: Callable[[], str]) -> None:
    assert verify(create())["sub"] == "alice"


def without(name: str) -> str:
    changes: dict[str, Any] = {name: None}
    return token(**changes)


def unsigned() -> str:
    return jwt.encode(claims(), "", "none", headers={"kid": "one"})


def signed_with_the_public_key() -> str:
    """The attack on libraries that take the algorithm from the token."""
    return jwt.PyJWS().encode(
        json.dumps(claims()).encode(), b"x" * 32, "HS256", headers={"kid": "one"}
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(token(OTHER), id="another key"),
        pytest.param(token(kid="three"), id="an unknown key"),
        pytest.param(unsigned(), id="no signature"),
        pytest.param(signed_with_the_public_key(), id="a shared secret"),
        pytest.param(token(exp=int(time.time()) - 90), id="expired"),
        pytest.param(token(nbf=int(time.time()) + 600), id="not valid yet"),
        pytest.param(token(iss="https://evil.example/"), id="another issuer"),
        pytest.param(token(aud="another"), id="another client"),
        pytest.param(token(aud=["client", "another"], azp="another"), id="another party"),
        pytest.param(token(nonce="n-2"), id="another sign-in"),
        *(
            pytest.param(without(name), id=f"without {name}")
            for name in ("iss", "sub", "aud", "exp", "iat", "nonce")
        ),
        pytest.param(token()[:-4] + "AAAA", id="a changed signature"),
        pytest.param("", id="nothing"),
        pytest.param("a.b.c", id="no token"),
        pytest.param("\0", id="junk"),
    ],
)
def test_any_other_token_is_refused(text: str) -> None:
    with pytest.raises(IdentityRefused, match="token_invalid"):
        verify(text)


@pytest.mark.parametrize("keys", [{}, {"keys": []}, {"keys": "x"}, {"keys": [{"kty": "oct"}]}])
def test_a_provider_without_keys_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(IdentityRefused, match="token_invalid"):
        verify_id_token(token(), keys=keys, issuer=ISSUER, client_id="client", nonce="n-1")


@pytest.mark.parametrize(
    ("auth_time", "expected"),
    [
        *((1000, True), (940, True), (939, False), (1160, True), (1161, False)),
        *((None, False), ("1000", False), (float("nan"), False), (True, False)),
    ],
)
def test_a_sign_in_is_recent_if_it_is_not_older_than_the_request(
    auth_time: Any, expected: bool
) -> None:
    claims = {} if auth_time is None else {"auth_time": auth_time}

    assert is_signed_in_since(claims, 1000, now=1100) is expected
