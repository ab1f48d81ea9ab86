"""`manage.py check_ledger`: checks the invariants of the ledger, for operators and for cron."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from operations.maintenance.integrity import check_ledger, invariants
from operations.models import InvariantResult

VIOLATED, UNKNOWN = 1, 2


class Command(BaseCommand):
    help = (
        "Checks the invariants of the ledger. The exit code is 0 if they hold, 1 if one is violated, "
        "and 2 if one could not be checked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="print problems only")

    def handle(self, **options: Any) -> None:
        try:
            results = check_ledger()
        except Error as error:
            text = f"The ledger cannot be checked: {type(error).__name__}."
            raise CommandError(text, returncode=UNKNOWN) from None
        promises = {invariant.name: invariant.promise for invariant in invariants()}
        for result in results:
            if not (options["quiet"] and result.is_kept):
                self.stdout.write(_line(result, promises[result.name]))
        if any(result.count for result in results):
            sys.exit(VIOLATED)
        if any(result.error for result in results):
            sys.exit(UNKNOWN)


def _line(result: InvariantResult, promise: str) -> str:
    if result.is_kept:
        return f"OK       {promise}"
    ids = ", ".join(str(offender) for offender in result.offenders)
    state = "UNKNOWN" if result.error else "VIOLATED"
    line = f"{state:<8} {promise} {result.summary}"
    if ids:
        line += f": {ids}"
    return line
