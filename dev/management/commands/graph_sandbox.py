"""The command `manage.py graph_sandbox`."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from dev.graph_sandbox.main import add_arguments, run


class Command(BaseCommand):
    help = "Run the Graph sandbox, a server with the part of Microsoft Graph that Runledger uses."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        run(argparse.Namespace(**options))
