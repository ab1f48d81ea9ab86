"""`manage.py import_legacy_runs`: copy the history of an older installation. Safe to repeat."""

from __future__ import annotations

import csv
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from legacy_runs.importing import Import, Numbered, Reject, Report, from_csv, from_database
from legacy_runs.models import TABLES
from operations.sanitize import register_secret, sanitize_text
from operations.views.export import safe_cell
from tenancy.models import Workspace


class Command(BaseCommand):
    help = (
        "Copy legacy runs from an older installation's database (--source) or from CSV files "
        "(--csv kind=path). Rows keep their ids; what is there already is left as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", default="", help="the older database, as a DSN or URL")
        parser.add_argument(
            "--csv",
            action="append",
            default=[],
            metavar="KIND=PATH",
            help=f"a CSV file with a header; kinds: {', '.join(TABLES)}",
        )
        parser.add_argument("--workspace", default="", help="slug; where tenants are in several")
        parser.add_argument("--rejects", default="", help="a CSV file for what is not taken")
        parser.add_argument("--dry-run", action="store_true", help="tell, and keep nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        _remember_password(options["source"])
        if bool(options["source"]) == bool(options["csv"]):
            raise CommandError("Give either --source or --csv.")
        slug = options["workspace"]
        if slug and not Workspace.objects.filter(slug=slug).exists():
            raise CommandError(f"There is no workspace “{sanitize_text(slug, max_length=60)}”.")
        with _reject_file(options["rejects"]) as reject:
            for kind, rows in _sources(options):
                self._import(kind, rows, options, reject)

    def _import(self, kind: str, rows: Iterator[Numbered], options: Any, reject: Any) -> None:
        started = time.monotonic()

        def told(report: Report) -> None:
            rate = report.rows / max(time.monotonic() - started, 0.001)
            sys.stderr.write(f"\r{kind}: {report.rows:,} rows, {rate:,.0f} a second")

        one = Import(
            kind,
            workspace=options["workspace"],
            dry_run=options["dry_run"],
            told=told,
            reject=reject,
        )
        try:
            report = one.run(rows)
        except (OSError, csv.Error, UnicodeDecodeError, psycopg.Error) as error:
            sys.stderr.write("\n")
            raise CommandError(
                f"{kind}: stopped after {one.report.rows:,} rows, which stay. "
                f"{sanitize_text(str(error), max_length=300)}"
            ) from None
        sys.stderr.write("\n")
        self._summary(kind, report, dry_run=options["dry_run"])

    def _summary(self, kind: str, report: Report, *, dry_run: bool) -> None:
        told = ", ".join(f"{count:,} {end}" for end, count in sorted(report.counts.items()))
        self.stdout.write(f"{kind}: {told or 'no rows'}{' (dry run: nothing kept)' * dry_run}")
        for reason, count in report.reasons.most_common(20):
            self.stdout.write(f"  {count:,} skipped, {reason}")


def _sources(options: Any) -> Iterator[tuple[str, Iterator[Numbered]]]:
    if options["source"]:
        for kind in TABLES:
            yield kind, from_database(kind, options["source"])
    for given in options["csv"]:
        kind, _, path = given.partition("=")
        if kind not in TABLES or not path:
            raise CommandError(f"--csv takes KIND=PATH with one of {', '.join(TABLES)}.")
        yield kind, from_csv(Path(path))


@contextmanager
def _reject_file(path: str) -> Iterator[Any]:
    if not path:
        yield lambda _: None
        return
    try:
        file = Path(path).open("w", encoding="utf-8", newline="")  # noqa: SIM115 - closed below
    except OSError as error:
        raise CommandError(f"--rejects cannot be written: {error}") from None
    with file:
        writer = csv.writer(file)
        writer.writerow(["kind", "line", "id", "reason"])

        def reject(one: Reject) -> None:
            given = safe_cell(sanitize_text(one.id, max_length=40))
            writer.writerow([one.kind, one.line, given, one.reason])

        yield reject


def _remember_password(source: str) -> None:
    """Let no message show the password of a DSN."""
    try:
        password = psycopg.conninfo.conninfo_to_dict(source).get("password") if source else None
    except psycopg.Error:
        raise CommandError("--source is not a DSN or URL of a Postgres database.") from None
    if password:
        register_secret(str(password))
