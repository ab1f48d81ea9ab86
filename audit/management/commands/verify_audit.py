"""`manage.py verify_audit`: checks that no entry of the audit log was changed or removed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit.chain import Link, find_problems, read_links, seal_entries

#: Seal every entry that is not sealed yet, however old it is.
ALL_IDS = 2**62


class Command(BaseCommand):
    help = (
        "Checks that no entry of the audit log was changed or removed. Prints the newest seal: note "
        "it elsewhere, and pass it to --expect later. The exit code is 1 if something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect", metavar="SEAL", default="", help="a seal that this command printed earlier"
        )

    def handle(self, **options: Any) -> None:
        seal_entries(recent_ids=ALL_IDS)
        self.count, self.newest_seal, self.is_expected = 0, "", False
        is_intact = True
        for problem in find_problems(self._read(options["expect"])):
            is_intact = False
            self.stdout.write(f"VIOLATED Entry {problem.entry_id} {problem.text}.")
        if options["expect"] and not self.is_expected:
            is_intact = False
            self.stdout.write(f"VIOLATED The log has no seal {options['expect']}.")
        if not is_intact:
            sys.exit(1)
        if not self.count:
            self.stdout.write("OK       The log is empty, so there is no seal.")
            return
        self.stdout.write(f"OK       {self.count:,} entries. The newest seal: {self.newest_seal}")

    def _read(self, expected_seal: str) -> Iterator[Link]:
        """Yield the links, and remember their number, the newest seal and the expected one."""
        for link in read_links():
            self.count += 1
            self.newest_seal = link.seal
            self.is_expected = self.is_expected or link.seal == expected_seal
            yield link
