"""Encrypts the stored credentials again with the first key of the ring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from django.db import transaction

from providers.models import ConfigurationSecret, ProviderConnection
from tenancy.rotation import RotationResult, encrypt_again

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


@transaction.atomic
def _rotate(pk: int) -> RotationResult | None:
    """Rotate one credential. Return None if it was removed in the meantime."""
    connection = ProviderConnection.objects.select_for_update(of=("self",)).filter(pk=pk).first()
    if connection is None or not connection.has_credential:
        return None
    owner = f"the connection {connection} of the tenant {connection.tenant}"
    result, envelope = encrypt_again(connection.encrypted_credential, connection.place, owner)
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
    owner = f"the setting {row.setting} of the tenant {row.tenant_id}"
    result, envelope = encrypt_again(row.encrypted_value, row.place, owner)
    if result == RotationResult.ROTATED:
        row.encrypted_value = envelope
        row.save(update_fields=["encrypted_value"])
    return result
