"""Encrypts the stored credentials again with the first key of the ring."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from django.db import transaction

from providers.models import ProviderConnection
from tenancy.crypto import CredentialUnreadable, key_ring


class RotationResult(Enum):
    """The result of the rotation of one credential."""

    ROTATED = "encrypted again"
    CURRENT = "already current"
    UNREADABLE = "unreadable"


def rotate_credentials() -> Counter[RotationResult]:
    """Encrypt every stored credential with the first key; one short transaction each.

    It is safe to repeat, to interrupt, and to run while users enter new credentials.
    """
    stored = ProviderConnection.objects.exclude(encrypted_credential="")
    ids = list(stored.order_by("pk").values_list("pk", flat=True))
    results = [_rotate(pk) for pk in ids]
    return Counter(result for result in results if result is not None)


@transaction.atomic
def _rotate(pk: int) -> RotationResult | None:
    """Rotate one credential. Return None if it was removed in the meantime."""
    connection = ProviderConnection.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if connection is None or not connection.has_credential:
        return None
    ring = key_ring()
    try:
        plaintext = ring.decrypt(connection.encrypted_credential, connection.place)
    except CredentialUnreadable:
        return RotationResult.UNREADABLE
    if connection.credential_key_id == ring.current:
        return RotationResult.CURRENT
    connection.encrypted_credential = ring.encrypt(plaintext, connection.place)
    connection.save(update_fields=["encrypted_credential"])
    return RotationResult.ROTATED
