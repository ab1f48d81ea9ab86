"""The command `manage.py graph_sandbox_fault`."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dev.graph_sandbox.control import SandboxControl, SandboxError
from dev.graph_sandbox.faults import FAULTS


class Command(BaseCommand):
    help = "Add or remove faults of the running Graph sandbox. Without a fault, list them."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("tenant", nargs="?", help="id of the tenant")
        parser.add_argument("fault", nargs="?", choices=sorted(FAULTS), metavar="fault")
        parser.add_argument("options", nargs="*", metavar="name=value", help="kind, times, …")
        parser.add_argument(
            "--clear", action="store_true", help="remove all faults, or those of the tenant"
        )
        parser.add_argument("--token", default="", help="control token, if it is not beside ca.pem")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            control = SandboxControl.at(
                settings.GRAPH_SANDBOX_URL, settings.GRAPH_CA_BUNDLE, options["token"]
            )
            self._change_faults(control, options)
        except SandboxError as error:
            raise CommandError(str(error)) from None

    def _change_faults(self, control: SandboxControl, options: dict[str, Any]) -> None:
        if options["clear"]:
            control.clear(options["tenant"] or "")
        elif options["fault"]:
            fault_options = _parse_options(options["options"])
            control.fault(options["tenant"], options["fault"], **fault_options)
        else:
            self.stdout.write("\n".join(f"{name:22} {effect}" for name, effect in FAULTS.items()))
        for fault in control.faults():
            self.stdout.write(json.dumps(fault))


def _parse_options(pairs: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise CommandError("Enter options as name=value.")
        options[name] = int(value) if value.isdigit() else value
    return options
