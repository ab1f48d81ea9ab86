"""`manage.py runs`: lists the newest runs, and starts, shows, awaits, cancels and retries runs.

`start`, `cancel` and `retry` act as a user and do what the role of that user allows. The exit status
of `wait`, also as `--wait`, says how the runs ended: `EXIT_STATUS`, of several runs the largest.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from argparse import SUPPRESS
from collections.abc import Callable, Sequence
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from operations.catalog import OperationCatalog
from operations.delivery.publisher import warm_up
from operations.maintenance.prune import count_removable, dispatch_prune
from operations.maintenance.retention import RetentionPolicy, Step
from operations.management.waiting import RunRemoved, load_runs, wait_for_runs
from operations.models import OperationRun
from operations.permissions import may_cancel, may_retry
from operations.presentation.summary import summarize
from operations.reasons import Blocked
from operations.services import (
    MAX_REASON,
    DispatchResult,
    NotRetryable,
    OperationRunService,
    RunNoLongerActive,
)
from operations.starters import STARTERS, Target
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from redaction.text import sanitize_text
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.db import database_now
from tenancy.models import User, Workspace
from web.durations import ago

HEADINGS = ("ID", "TYPE", "TENANT", "STATUS", "OUTCOME", "DONE", "FAILED", "CREATED")
#: 1 is an error of the command, and 2 a wrong argument. Pending: the run was active at the timeout.
EXIT_STATUS = {
    RunOutcome.SUCCEEDED: 0,
    RunOutcome.PARTIALLY_SUCCEEDED: 3,
    RunOutcome.CANCELLED: 4,
    RunOutcome.BLOCKED: 5,
    RunOutcome.FAILED: 6,
    RunOutcome.PENDING: 7,
}
INTERRUPTED = 130
MAX_TIMEOUT = 7 * 24 * 3600
#: Longer numbers are no ids.
MAX_ID_LENGTH = 19


class Command(BaseCommand):
    help = "Lists the newest runs, newest first; starts, shows, awaits, cancels and retries runs."

    def add_arguments(self, parser: CommandParser) -> None:
        types = [run_type.value for run_type in OperationCatalog.all()]
        parser.add_argument("--type", choices=types, help="list only runs of this type")
        parser.add_argument(
            "--status", choices=RunStatus.values, help="list only runs with this status"
        )
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument(
            "--limit", type=int, default=20, help="maximum number of runs (default 20)"
        )
        commands = parser.add_subparsers(dest="what", title="commands", metavar="COMMAND")

        start = commands.add_parser("start", help="start an operation")
        startable = sorted(run_type.value for run_type in STARTERS)
        start.add_argument(
            "run_type", metavar="TYPE", choices=startable, help=f"one of {', '.join(startable)}"
        )
        start.add_argument(
            "target", metavar="FOR", help="the name or id of its tenant or schedule, or a workspace"
        )
        start.add_argument("--workspace", help="the workspace of the name, by its slug")
        show = commands.add_parser("show", help="describe runs")
        wait = commands.add_parser("wait", help="wait until runs have ended")
        cancel = commands.add_parser("cancel", help="cancel runs")
        cancel.add_argument("--reason", default="", help="why, for the log of the run")
        retry = commands.add_parser("retry", help="retry what runs did not complete")
        for command in (show, wait, cancel, retry):
            command.add_argument(
                "run_ids", metavar="ID", type=run_id, nargs="+", help="the id of a run"
            )
        for command in (start, cancel, retry):
            command.add_argument(
                "--as", dest="user", metavar="USER", required=True, help="the user who does it"
            )
        for command in (start, retry):
            command.add_argument("--wait", action="store_true", help="wait until they have ended")
        for command in (start, retry, wait):
            command.add_argument("--timeout", type=seconds, help="wait at most so many seconds")
        for command in (start, show, wait, cancel, retry):
            # Without a default: the one of a subcommand would replace an option before it.
            command.add_argument("--json", action="store_true", default=SUPPRESS, help="print JSON")

        prune = commands.add_parser("prune", help="start retention in a workspace")
        prune.add_argument("--workspace", help="the slug of the workspace")
        prune.add_argument(
            "--dry-run", action="store_true", help="count the runs, and change nothing"
        )

    def handle(self, **options: Any) -> None:
        handlers: dict[str | None, Callable[..., None]] = {
            None: self._list,
            "start": self._start,
            "show": self._show,
            "wait": self._wait,
            "cancel": self._cancel,
            "retry": self._retry,
            "prune": self._prune,
        }
        try:
            handlers[options["what"]](**options)
        except (RunRemoved, PermissionDenied) as error:
            raise CommandError(str(error)) from None

    def _list(self, **options: Any) -> None:
        filters = {name: options[name] for name in ("type", "status") if options[name]}
        runs = OperationRun.objects.with_scope().filter(**filters).newest_first()
        rows = list(runs[: max(1, min(options["limit"], 10_000))])
        if options["json"]:
            self.stdout.write(json.dumps([_facts(run) for run in rows], indent=2))
        else:
            self.stdout.write(_as_table(rows))

    def _start(self, **options: Any) -> None:
        warm_up()
        run_type, user = OperationRunType(options["run_type"]), _user(options["user"])
        target, start = STARTERS[run_type]
        row = _target(target, options["target"], options["workspace"], user)
        workspace = row if isinstance(row, Workspace) else row.workspace
        require_capability(user, workspace, OperationCatalog.get(run_type).required_capability)
        try:
            result: DispatchResult = start(row, user)
        except Blocked as blocked:
            raise CommandError(
                f"{blocked.message} {blocked.next_step}",
                returncode=EXIT_STATUS[RunOutcome.BLOCKED],
            ) from None
        self._report_started([result], **options)

    def _retry(self, **options: Any) -> None:
        warm_up()
        user = _user(options["user"])
        results, refusals = [], []
        for run in _visible_runs(options["run_ids"], user):
            if not may_retry(run, user, capabilities_of(user, run.workspace)):
                refusals.append(
                    f"Run {run.pk}: the role of {user.username} does not allow a retry."
                )
                continue
            try:
                results.append(OperationRunService().retry(run, by=user))
            except NotRetryable as error:
                refusals.append(f"Run {run.pk}: {error}")
        self._report_started(results, refusals, **options)

    def _cancel(self, **options: Any) -> None:
        user = _user(options["user"])
        reason = sanitize_text(options["reason"].strip(), max_length=MAX_REASON)
        cancelled, refusals = [], []
        for run in _visible_runs(options["run_ids"], user):
            if not may_cancel(run, user, capabilities_of(user, run.workspace)):
                refusals.append(
                    f"Run {run.pk}: the role of {user.username} does not allow to cancel it."
                )
                continue
            try:
                cancelled.append(OperationRunService().request_cancel(run, by=user, reason=reason))
            except RunNoLongerActive as error:
                refusals.append(str(error))
        self._report(cancelled, as_json=options["json"])
        _refuse(refusals)

    def _show(self, *, run_ids: list[int], **options: Any) -> None:
        runs = load_runs(run_ids)
        if options["json"]:
            self.stdout.write(json.dumps([_details(run) for run in runs], indent=2))
        else:
            self.stdout.write("\n\n".join(map(_description, runs)))

    def _wait(self, *, run_ids: list[int], **options: Any) -> None:
        self._wait_for(list(dict.fromkeys(run_ids)), **options)

    def _report_started(
        self, results: Sequence[DispatchResult], refusals: Sequence[str] = (), **options: Any
    ) -> None:
        run_ids = [result.run.pk for result in results]
        if options["wait"] and not refusals:
            self._wait_for(run_ids, **options)
            return
        for result in results if not options["json"] else ():
            self.stdout.write(f"Run {result.run.pk} {_start_state(result)}.")
        if options["json"]:
            entries = [_facts(each.run) | {"created": each.created} for each in results]
            self.stdout.write(json.dumps(entries, indent=2))
        _refuse(refusals)

    def _wait_for(self, run_ids: list[int], *, timeout: float | None, **options: Any) -> None:
        try:
            runs = wait_for_runs(run_ids, timeout)
        except KeyboardInterrupt:
            self.stderr.write("No longer waiting. The runs continue.")
            sys.exit(INTERRUPTED)
        self._report(runs, as_json=options["json"])
        if status := max(EXIT_STATUS[RunOutcome(run.outcome)] for run in runs):
            sys.exit(status)

    def _report(self, runs: Sequence[OperationRun], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([_facts(run) for run in runs], indent=2))
        for run in runs if not as_json else ():
            self.stdout.write(_description(run))

    def _prune(self, **options: Any) -> None:
        workspace = _workspace(options["workspace"])
        if options["dry_run"]:
            counts = count_removable(workspace, RetentionPolicy.configured())
            for step, outcomes in counts.items():
                line = f"{_STEPS[step]}: {outcomes.total():,}"
                parts = [f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items())]
                if parts:
                    line += f" ({', '.join(parts)})"
                self.stdout.write(line)
            return
        result = dispatch_prune(workspace, initiator_name="manage.py runs prune")
        self.stdout.write(f"Run {result.run.pk} {_start_state(result)}.")


_STEPS = {Step.ROW: "Runs to remove", Step.DETAILS: "Runs to remove the details of"}


def _workspace(slug: str | None) -> Workspace:
    workspace = Workspace.objects.filter(slug=slug or "").first()
    if workspace is None:
        slugs = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"Set --workspace to one of: {slugs or '(none)'}.")
    return workspace


def seconds(text: str) -> float:
    """Parse a timeout. `argparse` names this function if the text is invalid."""
    number = float(text)
    if not 0 <= number <= MAX_TIMEOUT:
        raise ValueError(text)
    return number


def run_id(text: str) -> int:
    """Parse the id of a run."""
    if not (text.isdecimal() and len(text) < MAX_ID_LENGTH):
        raise ValueError(text)
    return int(text)


def _user(username: str) -> User:
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active account {username}.")
    return user


def _target(target: Target, text: str, workspace: str | None, user: User) -> Any:
    """Return the object with this name or id, among those that the user can see."""
    is_named = Q(**{target.named_by: text})
    if text.isdecimal() and len(text) < MAX_ID_LENGTH:
        is_named |= Q(pk=int(text))
    rows = target.rows.visible_to(user).filter(is_named)
    if workspace:
        path = rows.workspace_path.removesuffix("_id")
        rows = rows.filter(**{"slug" if path == "id" else f"{path}__slug": workspace})
    matches = list(rows.order_by("pk")[:2])
    if not matches:
        raise CommandError(f"{user.username} can see no {target.noun} “{text}”.")
    if len(matches) > 1:
        raise CommandError(f"Several are called “{text}”. Use the id of the {target.noun}.")
    return matches[0]


def _visible_runs(run_ids: Sequence[int], user: User) -> list[OperationRun]:
    """Return the runs if the user can see all of them; nothing happens to any otherwise."""
    visible = OperationRun.objects.visible_to(user).with_scope().in_bulk(run_ids)
    for each in run_ids:
        if each not in visible:
            raise RunRemoved(each)
    return [visible[each] for each in dict.fromkeys(run_ids)]


def _start_state(result: DispatchResult) -> str:
    if not result.created:
        return "is already active"
    if result.published is False:
        return "is queued, and starts as soon as the message queue accepts it"
    return "was started"


def _refuse(refusals: Sequence[str]) -> None:
    if refusals:
        raise CommandError("\n".join(refusals))


def _details(run: OperationRun) -> dict[str, Any]:
    summary = summarize(run)
    return _facts(run) | {
        "initiator": run.initiator_name,
        "retry_of": run.retry_of_id,
        "summary": summary.headline,
        "detail": summary.detail,
        "next_step": summary.next_step,
        "failures": run.failures,
    }


def _description(run: OperationRun) -> str:
    """Return what the page of the run says first, as lines."""
    summary = summarize(run)
    lines = [f"Run {run.pk}: {summary.headline}", summary.detail, summary.next_step]
    lines += [f"  {each['label']}: {each['count']}" for each in run.failures]
    return "\n".join(line for line in lines if line)


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
