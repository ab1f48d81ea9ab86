"""Encrypts the stored credentials again with the first key of the ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum
from uuid import UUID

from django.db import transaction

from providers.models import ConfigurationSecret, ProviderConnection
from tenancy.crypto import CredentialUnreadable, Place, key_id_of, key_ring


class RotationResult(Enum):
    """The result of the rotation of one credential."""

    ROTATED = "encrypted again"
    CURRENT = "already current"
    UNREADABLE = "unreadable"


Rotation = Callable[[], Counter[RotationResult]]
_ROTATIONS: list[Rotation] = []


def register_rotation(rotate: Rotation) -> Rotation:
    """Have `rotate_credentials` encrypt further secrets, those of an app above this one."""
    _ROTATIONS.append(rotate)
    return rotate


def rotate_credentials() -> Counter[RotationResult]:
    """Encrypt every stored secret with the first key; one short transaction each.

    It is safe to repeat, to interrupt, and to run while users enter new credentials.
    """
    stored = ProviderConnection.objects.exclude(encrypted_credential="")
    ids = list(stored.order_by("pk").values_list("pk", flat=True))
    values = list(ConfigurationSecret.objects.order_by("pk").values_list("pk", flat=True))
    rotated = [*map(_rotate, ids), *map(_rotate_value, values)]
    results = Counter(result for result in rotated if result is not None)
    for rotate in _ROTATIONS:
        results += rotate()
    return results


def encrypt_again(envelope: str, place: Place) -> tuple[RotationResult, str]:
    """Return the envelope encrypted with the first key; as it was if it is current or unreadable."""
    ring = key_ring()
    try:
        plaintext = ring.decrypt(envelope, place)
    except CredentialUnreadable:
        return RotationResult.UNREADABLE, envelope
    if key_id_of(envelope) == ring.current:
        return RotationResult.CURRENT, envelope
    return RotationResult.ROTATED, ring.encrypt(plaintext, place)


@transaction.atomic
def _rotate(pk: int) -> RotationResult | None:
    """Rotate one credential. Return None if it was removed in the meantime."""
    connection = ProviderConnection.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if connection is None or not connection.has_credential:
        return None
    result, envelope = encrypt_again(connection.encrypted_credential, connection.place)
    if result == RotationResult.ROTATED:
        connection.encrypted_credential = envelope
        connection.save(update_fields=["encrypted_credential"])
    return result


@transaction.atomic
def _rotate_value(pk: UUID) -> RotationResult | None:
    """Rotate one value of a configuration. Return None if it was removed in the meantime."""
    row = ConfigurationSecret.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if row is None:
        return None
    result, envelope = encrypt_again(row.encrypted_value, row.place)
    if result == RotationResult.ROTATED:
        row.encrypted_value = envelope
        row.save(update_fields=["encrypted_value"])
    return result
