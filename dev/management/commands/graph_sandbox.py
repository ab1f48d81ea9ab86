"""`manage.py graph_sandbox`: the Graph sandbox."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from dev.graph_sandbox.main import add_arguments, run


class Command(BaseCommand):
    help = "Run the Graph sandbox, which speaks the used part of Microsoft Graph over HTTPS."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        run(argparse.Namespace(**options))
