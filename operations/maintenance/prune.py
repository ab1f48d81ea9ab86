"""`operations.prune`: retention as a run, one a day in each workspace that needs it."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter

from django.db.models import Exists, OuterRef, Q

from operations.catalog import Scope
from operations.dispatch import RunRequest
from operations.handlers import operation
from operations.maintenance import retention
from operations.maintenance.retention import RetentionPolicy, Step
from operations.models import OperationRun
from operations.services import DispatchResult, OperationRunService
from operations.states import RunStatus
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from tenancy.db import database_now
from tenancy.models import User, Workspace
from tenancy.roles import Capability

PRUNE = OperationRunType.OPERATIONS_PRUNE
#: Workspaces take their turns in the first hours of the day.
SPREAD_MINUTES = 240
_DAYS = uuid.UUID("5b0f5c1e-7a2f-5d0b-9c51-4f1c6f6f1d11")


@operation(
    PRUNE,
    label="Retention",
    description="Removes the details of old runs, and later the runs, as the settings say.",
    required_capability=Capability.PRUNE_RUNS,
    scope=Scope.WORKSPACE,
    expected_duration=dt.timedelta(minutes=1),
    time_limit=dt.timedelta(hours=1),
    start_deadline=dt.timedelta(hours=6),
)
def prune(run: ActiveRun) -> None:
    """Let go of what the policy no longer keeps; safe to run again, and to stop at any moment."""
    policy, now = RetentionPolicy.configured(), database_now()
    removed: Counter[str] = Counter()
    for step, runs in retention.find_removable(run.workspace.pk, policy, now):
        run.checkpoint()
        run.set_phase("Removing runs" if step is Step.ROW else "Removing details")
        count = retention.remove_runs(run.workspace.pk, step, runs)
        removed[step] += count
        _report(run, step, count)
    stones = retention.remove_old_tombstones(run.workspace.pk, now - policy.tombstones)
    run.add_note(_told(removed[Step.ROW], removed[Step.DETAILS], stones))


def _report(run: ActiveRun, step: Step, count: int) -> None:
    if step is Step.ROW:
        run.tally(succeeded=count, deleted=count)
    else:
        run.tally(succeeded=count, updated=count)


def _told(rows: int, details: int, stones: int) -> str:
    return (
        f"Removed {rows:,} run{'' if rows == 1 else 's'}, the details of {details:,} more, "
        f"and {stones:,} tombstone{'' if stones == 1 else 's'}."
    )


def count_removable(workspace: Workspace, policy: RetentionPolicy) -> dict[Step, Counter[str]]:
    """What retention would take now, by step and outcome; nothing is touched."""
    found: dict[Step, Counter[str]] = {step: Counter() for step in Step}
    for step, runs in retention.find_removable(workspace.pk, policy, database_now()):
        found[step].update(run.outcome for run in runs)
    return found


def dispatch_prune(
    workspace: Workspace,
    *,
    by: User | None = None,
    initiator_name: str = "",
    submission: uuid.UUID | None = None,
) -> DispatchResult:
    """Start retention in a workspace now, or join the run that is at it."""
    return OperationRunService().dispatch_or_fail(
        PRUNE, workspace=workspace, by=by, initiator_name=initiator_name, submission=submission
    )


def dispatch_due(now: dt.datetime) -> list[DispatchResult]:
    """Start today's retention where there is something old, and where it has not run today.

    A day of a workspace is one submission, so any number of beats start one run: the database
    refuses the second, even when the first has ended.
    """
    today = now.astimezone(dt.UTC).date()
    requests = [
        RunRequest(
            type=PRUNE,
            workspace=workspace,
            initiator_name="Retention",
            submission=uuid.uuid5(_DAYS, f"{workspace.pk}/{today}"),
        )
        for workspace in _due(now)
        if now >= _turn(workspace, today)
    ]
    results = (
        OperationRunService().dispatch_many(requests, record_deduplicated=False) if requests else []
    )
    return [result for result in results if result.created]


def _turn(workspace: Workspace, today: dt.date) -> dt.datetime:
    minutes = workspace.pk * 37 % SPREAD_MINUTES
    return dt.datetime.combine(today, dt.time(), dt.UTC) + dt.timedelta(minutes=minutes)


def _due(now: dt.datetime) -> list[Workspace]:
    policy = RetentionPolicy.configured()
    midnight = dt.datetime.combine(now.astimezone(dt.UTC).date(), dt.time(), dt.UTC)
    own = OperationRun.objects.filter(workspace=OuterRef("pk"))
    ended = own.filter(status=RunStatus.COMPLETED)
    old = Q(Exists(ended.filter(created_at__lt=now - policy.shortest(Step.ROW))))
    detailed = Q(
        Exists(
            ended.filter(
                created_at__lt=now - policy.shortest(Step.DETAILS), details_removed_at__isnull=True
            )
        )
    )
    ran = Exists(own.filter(type=PRUNE, created_at__gte=midnight))
    return list(Workspace.objects.filter(old | detailed).exclude(ran).order_by("pk"))
