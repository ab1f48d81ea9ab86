"""Encrypts the addresses and secrets of endpoints again, after a new key was added."""

from __future__ import annotations

from collections import Counter

from django.db import transaction

from notifications.models import WebhookEndpoint
from providers.rotation import RotationResult, encrypt_again, register_rotation

#: Each column of an envelope, and its place.
_FIELDS = (
    ("encrypted_url", "url"),
    ("encrypted_secret", "secret"),
    ("encrypted_previous_secret", "secret"),
)


@register_rotation
def rotate_endpoints() -> Counter[RotationResult]:
    """Encrypt the address and the secrets of every endpoint with the first key."""
    results: Counter[RotationResult] = Counter()
    for pk in list(WebhookEndpoint.objects.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=pk).first()
            if endpoint is not None:
                results += _rotate(endpoint)
    return results


def _rotate(endpoint: WebhookEndpoint) -> Counter[RotationResult]:
    results: Counter[RotationResult] = Counter()
    for column, field in _FIELDS:
        if envelope := getattr(endpoint, column):
            result, encrypted = encrypt_again(envelope, endpoint.place(field))
            setattr(endpoint, column, encrypted)
            results[result] += 1
    endpoint.save(update_fields=[column for column, _ in _FIELDS])
    return results
