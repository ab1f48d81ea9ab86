"""`manage.py graph_sandbox_fault`: let the running Graph sandbox get something wrong, or well again."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.faults import FAULTS


class Command(BaseCommand):
    help = "Switch faults of the running Graph sandbox."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", nargs="?", help="the tenant's id")
        parser.add_argument("fault", nargs="?", choices=sorted(FAULTS), metavar="fault")
        parser.add_argument("options", nargs="*", metavar="name=value", help="kind, times, …")
        parser.add_argument("--clear", action="store_true", help="end the faults (of the tenant)")
        parser.add_argument(
            "--token", default="", help="the control token, if it is not beside ca.pem"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            control = SandboxControl.at(
                settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE, options["token"]
            )
            self._act(control, options)
        except SandboxError as error:
            raise CommandError(str(error)) from None

    def _act(self, control: SandboxControl, options: dict[str, Any]) -> None:
        if options["clear"]:
            control.clear(options["tenant"] or "")
        elif options["fault"]:
            control.fault(options["tenant"], options["fault"], **_parsed(options["options"]))
        else:
            self.stdout.write("\n".join(f"{name:22} {what}" for name, what in FAULTS.items()))
        for fault in control.faults():
            self.stdout.write(json.dumps(fault))


def _parsed(pairs: list[str]) -> dict[str, Any]:
    if any("=" not in pair for pair in pairs):
        raise CommandError("Options are given as name=value.")
    found = dict(pair.split("=", 1) for pair in pairs)
    return {name: int(value) if value.isdigit() else value for name, value in found.items()}
