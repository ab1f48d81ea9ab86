"""`manage.py runs`: the newest runs, as a table for people or as JSON for scripts.

`manage.py runs prune --workspace SLUG [--dry-run]` starts retention, or tells what it would take.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from operations.catalog import OperationCatalog
from operations.maintenance.prune import count_removable, dispatch_prune
from operations.maintenance.retention import RetentionPolicy, Step
from operations.models import OperationRun
from operations.states import RunStatus
from tenancy.models import Workspace
from web.durations import ago

HEADINGS = ("ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED")


class Command(BaseCommand):
    help = "Lists the newest runs, newest first; `runs prune` starts retention in a workspace."

    def add_arguments(self, parser: CommandParser) -> None:
        types = [run_type.value for run_type in OperationCatalog.all()]
        parser.add_argument("what", nargs="?", choices=("prune",), help="start retention")
        parser.add_argument("--workspace", help="prune: the workspace, by its slug")
        parser.add_argument("--dry-run", action="store_true", help="prune: only count")
        parser.add_argument("--type", choices=types, help="only runs of this type")
        parser.add_argument("--status", choices=RunStatus.values, help="only runs in this status")
        parser.add_argument("--json", action="store_true", help="print a JSON array")
        parser.add_argument("--limit", type=int, default=20, help="how many (default 20)")

    def handle(self, **options: Any) -> None:
        if options["what"]:
            self._prune(_workspace(options["workspace"]), dry_run=options["dry_run"])
        else:
            self._list(options)

    def _prune(self, workspace: Workspace, *, dry_run: bool) -> None:
        if dry_run:
            found = count_removable(workspace, RetentionPolicy.configured())
            for step, outcomes in found.items():
                self.stdout.write(f"{_STEPS[step]}: {outcomes.total():,}{_each(outcomes)}")
            return
        result = dispatch_prune(workspace, initiator_name="manage.py runs prune")
        said = "was started" if result.created else "is active already"
        self.stdout.write(f"Run {result.run.pk} {said}; a worker does it.")

    def _list(self, options: dict[str, Any]) -> None:
        wanted = {name: options[name] for name in ("type", "status") if options[name]}
        runs = OperationRun.objects.with_scope().filter(**wanted).newest_first()
        rows = list(runs[: max(1, min(options["limit"], 10_000))])
        self.stdout.write(_as_json(rows) if options["json"] else _as_table(rows))


_STEPS = {Step.ROW: "Runs to remove", Step.DETAILS: "Runs to remove the details of"}


def _each(outcomes: Counter[str]) -> str:
    told = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
    return f" ({told})" if told else ""


def _workspace(slug: str | None) -> Workspace:
    found = Workspace.objects.filter(slug=slug or "").first()
    if found is None:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"Which workspace? Give --workspace one of: {known or '(none)'}.")
    return found


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
