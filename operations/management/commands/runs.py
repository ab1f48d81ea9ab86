"""`manage.py runs`: lists the newest runs as a table, or as JSON for scripts.

`manage.py runs prune --workspace SLUG [--dry-run]` starts retention, or shows what it would remove.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from operations.catalog import OperationCatalog
from operations.maintenance.prune import count_removable, dispatch_prune
from operations.maintenance.retention import RetentionPolicy, Step
from operations.models import OperationRun
from operations.states import RunStatus
from tenancy.db import database_now
from tenancy.models import Workspace
from web.durations import ago

HEADINGS = ("ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED")


class Command(BaseCommand):
    help = "Lists the newest runs, newest first; `runs prune` starts retention in a workspace."

    def add_arguments(self, parser: CommandParser) -> None:
        types = [run_type.value for run_type in OperationCatalog.all()]
        parser.add_argument("what", nargs="?", choices=("prune",), help="start retention")
        parser.add_argument("--workspace", help="prune: the slug of the workspace")
        parser.add_argument(
            "--dry-run", action="store_true", help="prune: count the runs, and change nothing"
        )
        parser.add_argument("--type", choices=types, help="list only runs of this type")
        parser.add_argument(
            "--status", choices=RunStatus.values, help="list only runs with this status"
        )
        parser.add_argument("--json", action="store_true", help="print a JSON array")
        parser.add_argument(
            "--limit", type=int, default=20, help="maximum number of runs (default 20)"
        )

    def handle(self, **options: Any) -> None:
        if options["what"]:
            self._prune(_workspace(options["workspace"]), dry_run=options["dry_run"])
            return
        filters = {name: options[name] for name in ("type", "status") if options[name]}
        runs = OperationRun.objects.with_scope().filter(**filters).newest_first()
        rows = list(runs[: max(1, min(options["limit"], 10_000))])
        if options["json"]:
            self.stdout.write(json.dumps([_facts(run) for run in rows], indent=2))
        else:
            self.stdout.write(_as_table(rows))

    def _prune(self, workspace: Workspace, *, dry_run: bool) -> None:
        if dry_run:
            counts = count_removable(workspace, RetentionPolicy.configured())
            for step, outcomes in counts.items():
                line = f"{_STEPS[step]}: {outcomes.total():,}"
                parts = [f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())]
                if parts:
                    line += f" ({', '.join(parts)})"
                self.stdout.write(line)
            return
        result = dispatch_prune(workspace, initiator_name="manage.py runs prune")
        state = "was started" if result.created else "is already active"
        self.stdout.write(f"Run {result.run.pk} {state}.")


_STEPS = {Step.ROW: "Runs to remove", Step.DETAILS: "Runs to remove the details of"}


def _workspace(slug: str | None) -> Workspace:
    workspace = Workspace.objects.filter(slug=slug or "").first()
    if workspace is None:
        slugs = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"Set --workspace to one of: {slugs or '(none)'}.")
    return workspace


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
        "cause": run.cause,
        "recovered_by": run.recovered_by_id,
        "created_at": _iso_utc(run.created_at),
        "started_at": _iso_utc(run.started_at),
        "completed_at": _iso_utc(run.completed_at),
        "scheduled_for": run.context.get("scheduled_for"),
    }


def _iso_utc(at: dt.datetime | None) -> str | None:
    return at.astimezone(dt.UTC).isoformat() if at else None


def _as_table(runs: list[OperationRun]) -> str:
    if not runs:
        return "No runs."
    now = database_now()
    table = [HEADINGS, *(_cells(run, now) for run in runs)]
    widths = [max(len(row[column]) for row in table) for column in range(len(HEADINGS))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _cells(run: OperationRun, now: dt.datetime) -> tuple[str, ...]:
    counts = run.counts
    done = f"{counts.processed}/{counts.total}" if counts.total else str(counts.processed)
    tenant = run.tenant.name if run.tenant else "-"
    created = ago((now - run.created_at).total_seconds())
    cells = (str(run.pk), run.type, tenant[:40], run.status, run.outcome, done)
    return (*cells, str(counts.failed), created)
