"""Encrypted values of configurations, such as those of OMA-URI settings, in plain text for a restore.

Graph returns them only to connections that are allowed to read them. The content of a backup has a
reference in place of such a value; the value itself is stored encrypted. An equal value of the same
setting has the same reference, so that an unchanged object has an unchanged content.
"""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models.functions import Now

from providers.graph.errors import InvalidRequest
from providers.graph.normalize import REFERENCE_PREFIX
from providers.models import CHECK_SECRET_AFTER, ConfigurationSecret
from redaction.known_secrets import register_secret
from tenancy.crypto import CredentialUnreadable, key_ring
from tenancy.models import Tenant


class ConfigurationSecrets:
    """The values of one tenant."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def seal(self, setting: str, plaintext: str) -> str:
        """Store a value unless the setting has it already; return the reference to it."""
        register_secret(plaintext)
        rows = ConfigurationSecret.objects.filter(tenant=self._tenant, setting=setting)
        with transaction.atomic():
            for row in rows.order_by("created_at", "pk"):
                # Retention can delete the row in the meantime.
                if _open(row) == plaintext and rows.filter(pk=row.pk).update(
                    check_after=Now() + CHECK_SECRET_AFTER
                ):
                    return REFERENCE_PREFIX + str(row.pk)
            row = ConfigurationSecret(
                id=uuid.uuid4(),
                workspace_id=self._tenant.workspace_id,
                tenant=self._tenant,
                setting=setting,
            )
            row.encrypted_value = key_ring().encrypt(plaintext, row.place)
            row.save(force_insert=True)
            return REFERENCE_PREFIX + str(row.pk)

    def open(self, reference: str) -> str:
        """Return the value that a reference stands for.

        Raises:
            InvalidRequest: there is none, or it cannot be decrypted: nothing may be written.
        """
        rows = ConfigurationSecret.objects.filter(tenant=self._tenant)
        row = rows.filter(pk=reference.removeprefix(REFERENCE_PREFIX)).first()
        plaintext = _open(row) if row else None
        if plaintext is None:
            raise InvalidRequest("value_unreadable")
        register_secret(plaintext)
        return plaintext


def _open(row: ConfigurationSecret) -> str | None:
    """The value of a row; None if no key of this installation decrypts it."""
    try:
        return key_ring().decrypt(row.encrypted_value, row.place)
    except CredentialUnreadable:
        return None
