"""Checks ID tokens: signature, issuer, audience, times and nonce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
from django.utils.crypto import constant_time_compare

from accounts.identity_providers import IdentityRefused

#: Only signatures with public keys: a shared secret or no signature proves nothing.
ALGORITHMS = [
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
]
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
#: How far the clocks of the provider and of this host may differ.
LEEWAY_SECONDS = 60


def verify_id_token(
    token: str, *, keys: Mapping[str, Any], issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """Return the claims of an ID token.

    Raises:
        IdentityRefused: the token is not signed by one of the keys, has expired, or was issued by
            another issuer, for another client or for another sign-in.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            _find_key(token, keys),
            algorithms=ALGORITHMS,
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError) as error:
        raise IdentityRefused("token_invalid") from error
    if not constant_time_compare(str(claims["nonce"]), nonce):
        raise IdentityRefused("token_invalid")
    if claims.get("azp", client_id) != client_id:
        raise IdentityRefused("token_invalid")
    return claims


def is_signed_in_since(claims: Mapping[str, Any], started_at: float, *, now: float) -> bool:
    """Return whether the user signed in at the provider after a time; no if the token has no time.

    Both times are seconds of the database's clock.
    """
    signed_in_at = claims.get("auth_time")
    if not isinstance(signed_in_at, int | float):
        return False
    return started_at - LEEWAY_SECONDS <= signed_in_at <= now + LEEWAY_SECONDS


def _find_key(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    wanted = jwt.get_unverified_header(token).get("kid")
    for key in jwt.PyJWKSet.from_dict(dict(keys)).keys:
        if wanted in (None, key.key_id):
            return key
    raise jwt.InvalidKeyError("The provider has no such key.")
