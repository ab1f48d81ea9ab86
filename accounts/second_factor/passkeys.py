"""Passkeys (WebAuthn): the two steps of adding one and of proving to have one.

The challenge is in the session. Every passkey can sign in without a password, so it is always a
resident key and always verifies its user by PIN or biometrics.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth
from django.core.exceptions import ValidationError
from django.db import transaction

from tenancy.models import User

#: No authenticator sends more; the attestation with its certificates is the longest part.
MAX_LENGTH = 20_000
MAX_PASSKEYS = 10
_RESPONSE_FIELDS = (
    "clientDataJSON",
    "authenticatorData",
    "attestationObject",
    "signature",
    "userHandle",
)
#: What the parsers of the library raise for malformed input, besides its own errors.
_MALFORMED = (
    ValidationError,
    TypeError,
    ValueError,
    KeyError,
    IndexError,
    AttributeError,
    RecursionError,
    struct.error,
)


class PasskeyRefused(Exception):
    """The response is malformed, answers another challenge, or comes from another passkey."""


def creation_options(user: User) -> dict[str, Any]:
    """Start to add a passkey; return the options for the browser."""
    options: dict[str, Any] = auth.begin_registration(user, passwordless=True)
    return options


def add(user: User, name: str, response: str) -> None:
    """Add the passkey that the browser has created.

    Raises:
        PasskeyRefused: the response is not valid, or the user has too many passkeys.
    """
    credential = _parse(response)
    try:
        auth.parse_registration_response(credential)
        data = auth.complete_registration(credential)
    except _MALFORMED:
        raise PasskeyRefused from None
    count = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count()
    if not data.is_user_verified() or count >= MAX_PASSKEYS:
        raise PasskeyRefused
    auth.WebAuthn.add(user, name, credential)


def request_options(user: User | None = None) -> dict[str, Any]:
    """Ask for a passkey of the user, or for any; return the options for the browser."""
    options: dict[str, Any] = auth.begin_authentication(user)
    return options


def verify(response: str, user: User | None = None) -> Authenticator:
    """Return the passkey that answered the challenge of this session.

    Args:
        user: whose passkey it has to be; None accepts the user whom the passkey names.

    Raises:
        PasskeyRefused: no passkey of the user has answered, or it did not verify its user.
    """
    credential = _parse(response)
    try:
        parsed = auth.parse_authentication_response(credential)
        owner = user or auth.extract_user_from_response(credential)
        authenticator = auth.complete_authentication(owner, credential)
    except _MALFORMED:
        raise PasskeyRefused from None
    data = parsed.response.authenticator_data
    if not data.is_user_verified():
        raise PasskeyRefused
    return _count_use(authenticator, data.counter)


@transaction.atomic
def _count_use(authenticator: Authenticator, count: int) -> Authenticator:
    """Store the counter of the passkey; one that does not grow comes from a copy."""
    row: Authenticator = Authenticator.objects.select_for_update(of=("self",)).get(
        pk=authenticator.pk
    )
    if count and count <= row.data.get("counter", 0):
        raise PasskeyRefused
    row.data["counter"] = count
    row.save(update_fields=["data"])
    row.record_usage()
    return row


def _parse(response: str) -> dict[str, Any]:
    """Return what the library reads of the response, and nothing else.

    The library expects text, and does not check that.
    """
    if len(response) > MAX_LENGTH:
        raise PasskeyRefused
    try:
        posted = json.loads(response)
    except (ValueError, RecursionError):
        raise PasskeyRefused from None
    if not isinstance(posted, dict) or not isinstance(posted.get("response"), dict):
        raise PasskeyRefused
    return {
        "type": "public-key",
        "clientExtensionResults": {},
        "response": _texts(posted["response"], *_RESPONSE_FIELDS),
        **_texts(posted, "id", "rawId"),
    }


def _texts(values: dict[str, Any], *names: str) -> dict[str, str]:
    """Return the values with these names that are texts."""
    return {name: values[name] for name in names if isinstance(values.get(name), str)}
