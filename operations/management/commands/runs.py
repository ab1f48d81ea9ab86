"""`manage.py runs`: the newest runs, as a table for people or as JSON for scripts."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from operations.catalog import OperationCatalog
from operations.durations import ago
from operations.models import OperationRun
from operations.states import RunStatus

HEADINGS = ("ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED")


class Command(BaseCommand):
    help = "Lists the newest runs, newest first."

    def add_arguments(self, parser: CommandParser) -> None:
        types = [run_type.value for run_type in OperationCatalog.all()]
        parser.add_argument("--type", choices=types, help="only runs of this type")
        parser.add_argument("--status", choices=RunStatus.values, help="only runs in this status")
        parser.add_argument("--json", action="store_true", help="print a JSON array")
        parser.add_argument("--limit", type=int, default=20, help="how many (default 20)")

    def handle(self, **options: Any) -> None:
        wanted = {name: options[name] for name in ("type", "status") if options[name]}
        runs = OperationRun.objects.with_scope().filter(**wanted).newest_first()
        rows = list(runs[: max(1, min(options["limit"], 10_000))])
        self.stdout.write(_as_json(rows) if options["json"] else _as_table(rows))


def _as_json(runs: list[OperationRun]) -> str:
    return json.dumps([_facts(run) for run in runs], indent=2)


def _facts(run: OperationRun) -> dict[str, Any]:
    return {
        "id": run.pk,
        "type": run.type,
        "workspace": run.workspace.slug,
        "tenant": run.tenant.name if run.tenant else None,
        "status": run.status,
        "outcome": run.outcome,
        "counts": run.summary_counts,
        "failures": [failure["code"] for failure in run.failure_summary],
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "completed_at": _moment(run.completed_at),
        "scheduled_for": run.context.get("scheduled_for"),
    }


def _moment(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat() if at else None


def _as_table(runs: list[OperationRun]) -> str:
    if not runs:
        return "No runs."
    table = [HEADINGS, *(_cells(run) for run in runs)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _cells(run: OperationRun) -> tuple[str, ...]:
    counts = run.counts
    done = f"{counts.processed}/{counts.total}" if counts.total else str(counts.processed)
    tenant = run.tenant.name if run.tenant else "-"
    created = ago((timezone.now() - run.created_at).total_seconds())
    cells = (str(run.pk), run.type, tenant[:40], run.status, run.outcome, done)
    return (*cells, str(counts.failed), created)
