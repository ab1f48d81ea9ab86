"""The command `manage.py rotate_credentials`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.second_factor import services as second_factors
from providers.rotation import RotationResult, rotate_credentials
from tenancy.crypto import CredentialUnreadable


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential again with the first key of CREDENTIAL_KEYS. It is safe "
        "to repeat and to interrupt. Afterward the older keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[RotationResult] = rotate_credentials()
        try:
            second_factors.rotate_secrets()
        except CredentialUnreadable as error:
            raise CommandError(f"An authenticator app was not changed: {error}") from None
        for result in RotationResult:
            self.stdout.write(f"{result.value}: {counts[result]}")
        if counts[RotationResult.UNREADABLE]:
            raise CommandError("Some credentials cannot be decrypted and were not changed.")
