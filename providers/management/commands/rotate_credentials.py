"""The command `manage.py rotate_credentials`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.rotation import RotationResult, rotate_credentials


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential again with the first key of CREDENTIAL_KEYS. It is safe "
        "to repeat and to interrupt. Afterward the older keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[RotationResult] = rotate_credentials()
        for result in RotationResult:
            self.stdout.write(f"{result.value}: {counts[result]}")
        if counts[RotationResult.UNREADABLE]:
            raise CommandError("Some credentials cannot be decrypted and were not changed.")
