"""Encrypts secrets with AES-256-GCM, bound to their row, with keys that can be rotated.

A stored secret is a text `rl1.<key id>.<base64url of nonce and ciphertext>`. Its place (the row and
the field) and the id of the key are authenticated, so a value that is copied to another row or
relabeled with another key does not decrypt. The keys come from `CREDENTIAL_KEYS` only, never from
`SECRET_KEY`.
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
    """A stored credential cannot be decrypted; the text says why and contains no part of it."""


@dataclass(frozen=True)
class Place:
    """The row and field that a secret belongs to; `scope_id` is its workspace, or 0 without one."""

    scope_id: int
    row_id: int
    field: str = "credential"

    def bind(self, key_id: str) -> bytes:
        """Return the associated data of the encryption."""
        parts = [VERSION, key_id, self.scope_id, self.row_id, self.field]
        return json.dumps(parts, separators=(",", ":")).encode()


class KeyRing:
    """Keys by id. The first key encrypts, every key decrypts."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"<KeyRing {', '.join(self._keys)}>"

    def encrypt(self, plaintext: str, place: Place) -> str:
        """Encrypt a text with the first key. The envelope is different each time."""
        if not plaintext:
            raise ValueError("The credential is empty.")
        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self._keys[self.current])
        sealed = cipher.encrypt(nonce, plaintext.encode(), place.bind(self.current))
        return f"{VERSION}.{self.current}.{_to_text(nonce + sealed)}"

    def decrypt(self, envelope: str, place: Place) -> str:
        """Return the plaintext of an envelope.

        Raises:
            CredentialUnreadable: it is no envelope, its key is not in the ring, it is damaged, or it
                comes from another row.
        """
        key_id, sealed = _open_envelope(envelope)
        if key_id not in self._keys:
            raise CredentialUnreadable(f"The key {key_id} is not among CREDENTIAL_KEYS.")
        try:
            cipher = AESGCM(self._keys[key_id])
            plain = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.bind(key_id))
            return plain.decode()
        except (InvalidTag, UnicodeDecodeError):
            reason = "The stored credential was changed or belongs to another row."
            raise CredentialUnreadable(reason) from None


def key_id_of(envelope: str) -> str:
    """Return the id of the key of an envelope; empty for any other text."""
    parts = envelope.split(".")
    if len(parts) != 3 or parts[0] != VERSION:
        return ""
    return parts[1]


def key_ring() -> KeyRing:
    """Return the key ring of `settings.CREDENTIAL_KEYS`."""
    return parse_key_ring(settings.CREDENTIAL_KEYS)


@functools.lru_cache(maxsize=8)
def parse_key_ring(text: str) -> KeyRing:
    """Parse "v2:<base64 of 32 bytes>,v1:…".

    Raises:
        ImproperlyConfigured: there is no key, an id is used twice, or a key is malformed. The
            message gives the number of the entry, never a value.
    """
    keys: dict[str, bytes] = {}
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        key_id, _, encoded = entry.partition(":")
        if not _KEY_ID.fullmatch(key_id) or key_id in keys:
            raise ImproperlyConfigured(f"CREDENTIAL_KEYS: entry {number} needs a unique id.")
        keys[key_id] = _decode_key(encoded, number)
    if not keys:
        raise ImproperlyConfigured("CREDENTIAL_KEYS contains no key.")
    return KeyRing(keys)


def new_key() -> str:
    """Return a new random key in the format of `CREDENTIAL_KEYS`."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _decode_key(encoded: str, number: int) -> bytes:
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
        raise CredentialUnreadable("The stored value is not an encrypted credential.")
    _, key_id, text = envelope.split(".")
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise CredentialUnreadable("The stored credential is truncated or damaged.") from None
    if _to_text(sealed) != text:
        raise CredentialUnreadable("The stored credential is damaged.")
    return key_id, sealed


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
