"""The command `manage.py rotate_credentials`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.second_factor import services as second_factors
from providers.rotation import rotate_credentials
from tenancy.rotation import RotationResult


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential again with the first key of CREDENTIAL_KEYS. It is safe "
        "to repeat and to interrupt. Afterward the older keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts = rotate_credentials() + second_factors.rotate_secrets()
        for result in RotationResult:
            self.stdout.write(f"{result.value}: {counts[result]}")
        if counts[RotationResult.UNREADABLE]:
            raise CommandError(
                "Some credentials cannot be decrypted and were not changed. The log names them. Add "
                "their key to CREDENTIAL_KEYS, or enter them again."
            )
