"""`manage.py import_legacy_runs`: copy legacy runs from an older installation. Safe to repeat."""

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
from django.db import connection

from legacy_runs.importing import REJECTED, Import, Reject, Report
from legacy_runs.models import TABLES
from legacy_runs.progress import Progress, speed
from legacy_runs.rejects import RejectFolder
from legacy_runs.sources import CsvFile, OlderDatabase, Source
from redaction.known_secrets import register_secret
from redaction.text import sanitize_text
from tenancy.models import Tenant, Workspace

_SOURCE_ERRORS = (OSError, csv.Error, UnicodeDecodeError, psycopg.Error, DatabaseError)
RejectHandler = AbstractContextManager[Callable[[Reject], None]]


class Command(BaseCommand):
    help = (
        "Copy legacy runs from an older installation's database (--source) or from CSV files "
        "(--csv kind=path). Rows keep their ids; existing rows are not changed. The exit code is 1 if "
        "a row was rejected."
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
            help="the workspace of the rows; with NUMBER, of the rows that had that workspace number",
        )
        parser.add_argument("--rejects", default="", help="a new folder for rejected rows")
        parser.add_argument("--dry-run", action="store_true", help="report without importing")

    def handle(self, *_args: Any, **options: Any) -> None:
        _require_permission()
        if options["source"]:
            _register_password(options["source"])
        sources = _sources(options)
        workspaces = _workspaces(options["workspace"])
        rejected = 0
        with _reject_handler(options["rejects"]) as reject:
            for kind, source in sources:
                rejected += self._import(
                    source,
                    Import(
                        kind,
                        workspace=workspaces.get("", ""),
                        workspaces=workspaces,
                        dry_run=options["dry_run"],
                        reject=reject,
                    ),
                )
        if rejected:
            raise CommandError(f"Rejected rows: {rejected:,}. Correct them and import them again.")

    def _import(self, source: Source, legacy_import: Import) -> int:
        """Import one kind, print its report, and return the number of rejected rows."""
        write = self._write_progress if self.stderr.isatty() else None
        progress = Progress(legacy_import.kind, write)
        legacy_import.on_progress = lambda report: progress.show(report, source.share())
        try:
            report = legacy_import.run(source)
        except _SOURCE_ERRORS as error:
            progress.end()
            raise CommandError(_describe_error(legacy_import, error)) from None
        progress.end()
        self._write_report(legacy_import, report, speed(report.rows, progress.seconds))
        return report.counts[REJECTED]

    def _write_progress(self, text: str) -> None:
        self.stderr.write(text, lambda plain: plain, ending="")
        self.stderr.flush()

    def _write_report(self, legacy_import: Import, report: Report, rate: str) -> None:
        counts = [f"{count:,} {result}" for result, count in sorted(report.counts.items())]
        summary = ", ".join(counts) or "no rows"
        if legacy_import.dry_run:
            summary += " (dry run: nothing was imported)"
        self.stdout.write(f"{legacy_import.kind}: {summary}, {rate}")
        for line in _describe_workspaces(report):
            self.stdout.write(f"  {line}")
        for reason, count in report.reasons.most_common(20):
            self.stdout.write(f"  {count:,} rejected, {reason}")


def _describe_workspaces(report: Report) -> list[str]:
    """Describe the workspaces of the imported rows, so that a dry run shows a wrong workspace."""
    rows: Counter[str] = Counter()
    tenants: Counter[str] = Counter()
    for tenant in Tenant.objects.select_related("workspace").in_bulk(report.tenants).values():
        rows[tenant.workspace.slug] += report.tenants[tenant.pk]
        tenants[tenant.workspace.slug] += 1
    lines = [
        f"{count:,} into the workspace {slug} (tenants: {tenants[slug]:,})"
        for slug, count in rows.most_common()
    ]
    if report.mapped:
        lines.append(f"{report.mapped:,} of them are mapped to a run")
    return lines


def _describe_error(legacy_import: Import, error: Exception) -> str:
    if legacy_import.dry_run:
        consequence = "nothing was imported"
    else:
        consequence = "completed batches are kept; run the command again"
    reason = next(iter(str(error).splitlines()), "") or type(error).__name__
    return (
        f"{legacy_import.kind}: stopped after {legacy_import.report.rows:,} rows, {consequence}. "
        f"{sanitize_text(reason, max_length=300)}"
    )


def _require_permission() -> None:
    """Check that the role of this process may import: the owner, or the role for the import."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_function_privilege('legacy_runs_import(text, jsonb)', 'EXECUTE')"
        )
        (is_allowed,) = cursor.fetchone()
    if not is_allowed:
        raise CommandError(
            "The database role of this process may not import. Run grant_import_role as the owner "
            "of the tables, and this command with a DATABASE_URL of that role."
        )


# --- arguments ----------------------------------------------------------------------------------------


def _sources(options: Any) -> list[tuple[str, Source]]:
    """Return the sources; all of them are checked before anything is imported."""
    if bool(options["source"]) == bool(options["csv"]):
        raise CommandError("Specify either --source or --csv.")
    if options["source"]:
        return [(kind, OlderDatabase(kind, options["source"])) for kind in TABLES]
    return [_csv_source(argument) for argument in options["csv"]]


def _csv_source(argument: str) -> tuple[str, Source]:
    kind, _, path = argument.partition("=")
    if kind not in TABLES or not path:
        raise CommandError(f"--csv takes KIND=PATH with one of {', '.join(TABLES)}.")
    try:
        return kind, CsvFile(Path(path))
    except (OSError, ValueError) as error:
        raise CommandError(f"--csv {kind} cannot be read: {error}") from None


def _workspaces(arguments: list[str]) -> dict[str, str]:
    """Return slugs by workspace number of the older system; "" is the key of the default slug."""
    slugs: dict[str, str] = {}
    for argument in arguments:
        number, _, slug = argument.rpartition("=")
        if number in slugs:
            raise CommandError("--workspace: each number, and the default, can be set only once.")
        if not Workspace.objects.filter(slug=slug.replace("\x00", "")).exists():
            raise CommandError(f"There is no workspace “{sanitize_text(slug, max_length=60)}”.")
        slugs[number] = slug
    return slugs


def _reject_handler(path: str) -> RejectHandler:
    if not path:
        return nullcontext(lambda _: None)
    try:
        return RejectFolder(Path(path))
    except (OSError, ValueError) as error:
        raise CommandError(f"--rejects cannot be written: {error}") from None


def _register_password(source: str) -> None:
    """Keep the password of a DSN out of every message."""
    try:
        password = psycopg.conninfo.conninfo_to_dict(source).get("password")
    except psycopg.Error:
        raise CommandError("--source is not a DSN or URL of a PostgreSQL database.") from None
    if password:
        register_secret(str(password))
