"""`manage.py check_start`: runs the preflight checks of web, worker and beat."""

from __future__ import annotations

from typing import Any

from django.core.checks import Error
from django.core.management.base import BaseCommand, CommandError

from operations.maintenance.preflight import NOT_REACHED, run_preflight_checks


class Command(BaseCommand):
    help = "Runs the preflight checks of the broker, the settings and the database role."

    def handle(self, **_: Any) -> None:
        problems = run_preflight_checks()
        for message in problems:
            self.stdout.write(f"{message.id}: {message.msg} {message.hint}")
        if any(message.level >= Error("").level for message in problems):
            raise CommandError("Web, worker and beat cannot start.")
        if any(message.id in NOT_REACHED for message in problems):
            raise CommandError("Web, worker and beat start, and wait for what cannot be reached.")
        self.stdout.write("Web, worker and beat can start.")
