"""Credentials at rest: AES-256-GCM, bound to the row they belong to, with keys that can rotate.

A stored credential is a text `rl1.<key id>.<base64url of nonce and ciphertext>`. Where it belongs
(workspace, connection, field) and the key's id are authenticated with it, so a value copied to
another row, or relabelled with another key, does not decrypt. The keys come from
`CREDENTIAL_KEYS` and nowhere else; in particular not from `SECRET_KEY`.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

VERSION = "rl1"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

#: What the database accepts as a stored credential (also a check constraint of the table).
ENVELOPE_PATTERN = r"^rl1\.[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{39,}$"
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class CredentialUnreadable(Exception):
    """A stored credential cannot be decrypted; the text says why and holds nothing of it."""


@dataclass(frozen=True)
class Place:
    """The row and field that a credential belongs to."""

    workspace_id: int
    connection_id: int
    field: str = "credential"

    def bind(self, key_id: str) -> bytes:
        """The associated data of the encryption."""
        parts = [VERSION, key_id, self.workspace_id, self.connection_id, self.field]
        return json.dumps(parts, separators=(",", ":")).encode()


class KeyRing:
    """Keys by id. The first one encrypts, each of them decrypts."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._keys)}>"

    def encrypt(self, plaintext: str, place: Place) -> str:
        """The envelope of a text, under the first key; different each time."""
        if not plaintext:
            raise ValueError("There is nothing to encrypt.")
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._keys[self.current])
        sealed = cipher.encrypt(nonce, plaintext.encode(), place.bind(self.current))
        return f"{VERSION}.{self.current}.{_to_text(nonce + sealed)}"

    def decrypt(self, envelope: str, place: Place) -> str:
        """The text inside.

        Raises:
            CredentialUnreadable: not an envelope, made with a key that is not in the ring,
                damaged, or taken from another row.
        """
        key_id, sealed = _open_envelope(envelope)
        if key_id not in self._keys:
            raise CredentialUnreadable(f"The key {key_id} is not among CREDENTIAL_KEYS.")
        try:
            cipher = AESGCM(self._keys[key_id])
            plain = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.bind(key_id))
            return plain.decode()
        except (InvalidTag, UnicodeDecodeError):
            reason = "The stored credential was altered, or belongs to another row."
            raise CredentialUnreadable(reason) from None


def key_id_of(envelope: str) -> str:
    """The id of the key that made the envelope; empty when there is none."""
    parts = envelope.split(".")
    return parts[1] if len(parts) == 3 and parts[0] == VERSION else ""


def key_ring() -> KeyRing:
    """The ring of `settings.CREDENTIAL_KEYS`."""
    return parse_key_ring(settings.CREDENTIAL_KEYS)


@functools.lru_cache(maxsize=8)
def parse_key_ring(text: str) -> KeyRing:
    """Read "v2:<base64 of 32 bytes>,v1:…".

    Raises:
        ImproperlyConfigured: no key, a name twice, or something that is not a key. The text of
            the error names the place, never a value.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        key_id, _, encoded = entry.partition(":")
        if not _KEY_ID.fullmatch(key_id) or key_id in keys:
            raise ImproperlyConfigured(f"CREDENTIAL_KEYS: entry {number} needs a name of its own.")
        keys[key_id] = _key(encoded, number)
    if not keys:
        raise ImproperlyConfigured("CREDENTIAL_KEYS holds no key.")
    return KeyRing(keys)


def new_key() -> str:
    """A fresh random key, in the form that `CREDENTIAL_KEYS` takes."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _key(encoded: str, number: int) -> bytes:
    try:
        key = base64.b64decode(encoded.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ImproperlyConfigured(
            f"CREDENTIAL_KEYS: entry {number} is not the base64 of {KEY_BYTES} bytes."
        )
    return key


def _open_envelope(envelope: str) -> tuple[str, bytes]:
    if not re.match(ENVELOPE_PATTERN, envelope):
        raise CredentialUnreadable("What is stored is not an encrypted credential.")
    _, key_id, text = envelope.split(".")
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise CredentialUnreadable("The stored credential is cut off or damaged.") from None
    if _to_text(sealed) != text:
        raise CredentialUnreadable("The stored credential is damaged.")
    return key_id, sealed


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
