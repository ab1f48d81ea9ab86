"""`manage.py check_start`: what web, worker and beat look at before they start."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error
from django.core.management.base import BaseCommand, CommandError

from operations.maintenance.preflight import run_preflight_checks


class Command(BaseCommand):
    help = "Looks at the broker, the settings and the database role as the processes do at start."

    def handle(self, **_: Any) -> None:
        found = run_preflight_checks()
        for message in found:
            self.stdout.write(f"{message.id}: {message.msg} {message.hint}")
        if any(message.level >= Error("").level for message in found):
            raise CommandError("Web, worker and beat would not start.")
        self.stdout.write("Web, worker and beat may start.")
