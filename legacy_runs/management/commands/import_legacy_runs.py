"""`manage.py import_legacy_runs`: copy the history of an older installation. Safe to repeat."""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from legacy_runs.importing import Import, Reject, Report
from legacy_runs.models import TABLES
from legacy_runs.progress import Progress, speed
from legacy_runs.rejects import RejectFolder
from legacy_runs.sources import CsvFile, OlderDatabase, Source
from redaction.known_secrets import register_secret
from redaction.text import sanitize_text
from tenancy.models import Tenant, Workspace

_STOPS = (OSError, csv.Error, UnicodeDecodeError, psycopg.Error, DatabaseError)
Rejected = AbstractContextManager[Callable[[Reject], None]]


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
        parser.add_argument(
            "--workspace",
            action="append",
            default=[],
            metavar="[NUMBER=]SLUG",
            help="whose the rows are; with a number, those of that workspace of the older system",
        )
        parser.add_argument("--rejects", default="", help="a new folder for what is not taken")
        parser.add_argument("--dry-run", action="store_true", help="tell, and keep nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        _remember_password(options["source"])
        sources = _sources(options)
        workspaces = _workspaces(options["workspace"])
        with _rejected(options["rejects"]) as reject:
            for kind, source in sources:
                self._import(
                    source,
                    Import(
                        kind,
                        workspace=workspaces.get("", ""),
                        workspaces=workspaces,
                        dry_run=options["dry_run"],
                        reject=reject,
                    ),
                )

    def _import(self, source: Source, one: Import) -> None:
        progress = Progress(one.kind, self._write_line if self.stderr.isatty() else None)
        one.told = lambda report: progress.show(report, source.share())
        try:
            report = one.run(source)
        except _STOPS as error:
            progress.end()
            raise CommandError(_why_it_stopped(one, error)) from None
        progress.end()
        self._summary(one, report, speed(report.rows, progress.seconds))

    def _write_line(self, text: str) -> None:
        self.stderr.write(text, lambda plain: plain, ending="")
        self.stderr.flush()

    def _summary(self, one: Import, report: Report, took: str) -> None:
        told = ", ".join(f"{count:,} {end}" for end, count in sorted(report.counts.items()))
        dry = " (dry run: nothing kept)" * one.dry_run
        self.stdout.write(f"{one.kind}: {told or 'no rows'}{dry}, {took}")
        for line in _whose(report):
            self.stdout.write(f"  {line}")
        for reason, count in report.reasons.most_common(20):
            self.stdout.write(f"  {count:,} skipped, {reason}")


def _whose(report: Report) -> list[str]:
    """Where the imported rows have gone, so that a wrong workspace is seen in the dry run."""
    rows: Counter[str] = Counter()
    tenants: Counter[str] = Counter()
    for tenant in Tenant.objects.select_related("workspace").in_bulk(report.tenants).values():
        rows[tenant.workspace.slug] += report.tenants[tenant.pk]
        tenants[tenant.workspace.slug] += 1
    lines = [
        f"{count:,} into the workspace {slug} (tenants: {tenants[slug]:,})"
        for slug, count in rows.most_common()
    ]
    mapped = f"{report.mapped:,} of them lead to a run here"
    return [*lines, mapped] if report.mapped else lines


def _why_it_stopped(one: Import, error: Exception) -> str:
    kept = "nothing is kept" if one.dry_run else "those before stay; start it again"
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return (
        f"{one.kind}: stopped after {one.report.rows:,} rows, {kept}. "
        f"{sanitize_text(reason, max_length=300)}"
    )


# --- what it was called with --------------------------------------------------------------------------


def _sources(options: Any) -> list[tuple[str, Source]]:
    """Every source, found to be there before anything is imported."""
    if bool(options["source"]) == bool(options["csv"]):
        raise CommandError("Give either --source or --csv.")
    if options["source"]:
        return [(kind, OlderDatabase(kind, options["source"])) for kind in TABLES]
    return [_csv_source(given) for given in options["csv"]]


def _csv_source(given: str) -> tuple[str, Source]:
    kind, _, path = given.partition("=")
    if kind not in TABLES or not path:
        raise CommandError(f"--csv takes KIND=PATH with one of {', '.join(TABLES)}.")
    try:
        return kind, CsvFile(Path(path))
    except (OSError, ValueError) as error:
        raise CommandError(f"--csv {kind} cannot be read: {error}") from None


def _workspaces(given: list[str]) -> dict[str, str]:
    """Slugs by the older installation's numbers; by "" the one for everything else."""
    found = {}
    for one in given:
        number, _, slug = one.rpartition("=")
        if number in found:
            raise CommandError("--workspace: say once whose the rows are, for each number.")
        if not Workspace.objects.filter(slug=slug.replace("\x00", "")).exists():
            raise CommandError(f"There is no workspace “{sanitize_text(slug, max_length=60)}”.")
        found[number] = slug
    return found


def _rejected(path: str) -> Rejected:
    if not path:
        return nullcontext(lambda _: None)
    try:
        return RejectFolder(Path(path))
    except (OSError, ValueError) as error:
        raise CommandError(f"--rejects cannot be written: {error}") from None


def _remember_password(source: str) -> None:
    """Let no message show the password of a DSN."""
    try:
        password = psycopg.conninfo.conninfo_to_dict(source).get("password") if source else None
    except psycopg.Error:
        raise CommandError("--source is not a DSN or URL of a Postgres database.") from None
    if password:
        register_secret(str(password))
