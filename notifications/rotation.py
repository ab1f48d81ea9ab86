"""Encrypts the addresses and secrets of endpoints again, after a new key was added."""

from __future__ import annotations

from collections import Counter

from django.db import transaction

from notifications.models import WebhookEndpoint
from providers.rotation import register_rotation
from tenancy.rotation import RotationResult, encrypt_again

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
            owner = f"the webhook {endpoint} of the workspace {endpoint.workspace}"
            result, encrypted = encrypt_again(envelope, endpoint.place(field), owner)
            setattr(endpoint, column, encrypted)
            results[result] += 1
    endpoint.save(update_fields=[column for column, _ in _FIELDS])
    return results
