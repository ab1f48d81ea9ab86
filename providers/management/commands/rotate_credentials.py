"""`manage.py rotate_credentials`: store every credential with the first of CREDENTIAL_KEYS."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from providers.rotation import Rotated, rotate_credentials


class Command(BaseCommand):
    help = (
        "Encrypt every stored credential again with the first key of CREDENTIAL_KEYS. Safe to "
        "repeat and to interrupt; afterward the older keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[Rotated] = rotate_credentials()
        for outcome in Rotated:
            self.stdout.write(f"{outcome.value}: {counts[outcome]}")
        if counts[Rotated.UNREADABLE]:
            raise CommandError("Some credentials cannot be decrypted; they were left as they are.")
