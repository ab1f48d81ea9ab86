"""Moving stored credentials to the first key of the ring."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from django.db import transaction

from providers.crypto import CredentialUnreadable, key_ring
from providers.models import ProviderConnection


class Rotated(Enum):
    """What became of one credential."""

    ROTATED = "encrypted again"
    CURRENT = "already current"
    UNREADABLE = "unreadable"


def rotate_credentials() -> Counter[Rotated]:
    """Encrypt every stored credential with the first key; one short transaction each.

    Safe to repeat, to interrupt, and to run beside people who enter new credentials.
    """
    stored = ProviderConnection.objects.exclude(encrypted_credential="")
    ids = list(stored.order_by("pk").values_list("pk", flat=True))
    return Counter(outcome for pk in ids if (outcome := _rotate(pk)) is not None)


@transaction.atomic
def _rotate(pk: int) -> Rotated | None:
    """None: it was removed meanwhile."""
    connection = ProviderConnection.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if connection is None or not connection.has_credential:
        return None
    ring = key_ring()
    try:
        plaintext = ring.decrypt(connection.encrypted_credential, connection.place)
    except CredentialUnreadable:
        return Rotated.UNREADABLE
    if connection.credential_key_id == ring.current:
        return Rotated.CURRENT
    connection.encrypted_credential = ring.encrypt(plaintext, connection.place)
    connection.save(update_fields=["encrypted_credential"])
    return Rotated.ROTATED
