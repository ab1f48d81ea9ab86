"""Encrypts a stored secret again with the first key of the ring."""

from __future__ import annotations

import logging
from enum import Enum

from tenancy.crypto import CredentialUnreadable, Place, key_id_of, key_ring

log = logging.getLogger(__name__)


class RotationResult(Enum):
    """The result of the rotation of one secret."""

    ROTATED = "encrypted again"
    CURRENT = "already current"
    UNREADABLE = "unreadable"


def encrypt_again(envelope: str, place: Place, owner: str) -> tuple[RotationResult, str]:
    """Return the envelope encrypted with the first key; as it was if it is current or unreadable.

    One that is unreadable is logged with its owner, so that a person can enter it again.
    """
    ring = key_ring()
    try:
        plaintext = ring.decrypt(envelope, place)
    except CredentialUnreadable as error:
        log.warning("the secret of %s cannot be decrypted: %s", owner, error)
        return RotationResult.UNREADABLE, envelope
    if key_id_of(envelope) == ring.current:
        return RotationResult.CURRENT, envelope
    return RotationResult.ROTATED, ring.encrypt(plaintext, place)
