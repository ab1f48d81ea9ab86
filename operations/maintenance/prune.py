"""`operations.prune`: retention as a run, once a day in each workspace where it is due."""

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
from operations.starters import WORKSPACE, register_starter
from operations.states import RunStatus
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from tenancy.db import database_now
from tenancy.models import User, Workspace
from tenancy.roles import Capability

PRUNE = OperationRunType.OPERATIONS_PRUNE
#: The daily runs of the workspaces start within this time after midnight UTC.
SPREAD_MINUTES = 240
_SUBMISSIONS = uuid.UUID("5b0f5c1e-7a2f-5d0b-9c51-4f1c6f6f1d11")
#: The count that each step increments.
_COUNT_KEYS = {Step.ROW: "deleted", Step.DETAILS: "updated"}


@operation(
    PRUNE,
    label="Retention",
    description="Removes the details of old runs and later the runs, according to the settings.",
    required_capability=Capability.PRUNE_RUNS,
    scope=Scope.WORKSPACE,
    expected_duration=dt.timedelta(minutes=1),
    time_limit=dt.timedelta(hours=1),
    start_deadline=dt.timedelta(hours=6),
)
def prune(run: ActiveRun) -> None:
    """Remove what the policy no longer keeps. Idempotent; it can stop at any time."""
    policy, now = RetentionPolicy.configured(), database_now()
    removed: Counter[str] = Counter()
    for step, runs in retention.find_removable(run.workspace.pk, policy, now):
        run.checkpoint()
        run.set_phase("Removing runs" if step is Step.ROW else "Removing details")
        count = retention.remove_runs(run.workspace.pk, step, runs)
        removed[step] += count
        run.tally(succeeded=count, **{_COUNT_KEYS[step]: count})
    tombstones = retention.remove_old_tombstones(run.workspace.pk, now - policy.tombstones)
    incidents = retention.remove_old_incidents(run.workspace.pk, now - policy.problem.row)
    run.add_note(
        f"Runs removed: {removed[Step.ROW]:,}. Details removed: {removed[Step.DETAILS]:,}."
        f" Tombstones removed: {tombstones:,}. Incidents removed: {incidents:,}."
    )


def count_removable(workspace: Workspace, policy: RetentionPolicy) -> dict[Step, Counter[str]]:
    """Return how many runs retention would remove now, by step and outcome."""
    counts: dict[Step, Counter[str]] = {step: Counter() for step in Step}
    for step, runs in retention.find_removable(workspace.pk, policy, database_now()):
        counts[step].update(run.outcome for run in runs)
    return counts


def dispatch_prune(
    workspace: Workspace,
    *,
    by: User | None = None,
    initiator_name: str = "",
    submission: uuid.UUID | None = None,
) -> DispatchResult:
    """Start retention in a workspace, or return its active run."""
    return OperationRunService().dispatch_or_fail(
        PRUNE, workspace=workspace, by=by, initiator_name=initiator_name, submission=submission
    )


def dispatch_due(now: dt.datetime) -> list[DispatchResult]:
    """Start today's retention in each workspace that has old runs and no retention run today.

    Each day of a workspace is one submission, so that any number of beats start one run: the
    database refuses the second, even if the first has ended.
    """
    today = now.astimezone(dt.UTC).date()
    requests = [
        RunRequest(
            type=PRUNE,
            workspace=workspace,
            initiator_name="Retention",
            submission=uuid.uuid5(_SUBMISSIONS, f"{workspace.pk}/{today}"),
        )
        for workspace in _due_workspaces(now)
        if now >= _start_time(workspace, today)
    ]
    if not requests:
        return []
    results = OperationRunService().dispatch_many(requests, record_deduplicated=False)
    return [result for result in results if result.created]


def _start_time(workspace: Workspace, today: dt.date) -> dt.datetime:
    minutes = workspace.pk * 37 % SPREAD_MINUTES
    return dt.datetime.combine(today, dt.time(), dt.UTC) + dt.timedelta(minutes=minutes)


def _due_workspaces(now: dt.datetime) -> list[Workspace]:
    policy = RetentionPolicy.configured()
    midnight = dt.datetime.combine(now.astimezone(dt.UTC).date(), dt.time(), dt.UTC)
    runs = OperationRun.objects.filter(workspace=OuterRef("pk"))
    ended = runs.filter(status=RunStatus.COMPLETED)
    old_runs = ended.filter(created_at__lt=now - policy.shortest(Step.ROW))
    old_details = ended.filter(
        created_at__lt=now - policy.shortest(Step.DETAILS), details_removed_at__isnull=True
    )
    runs_today = runs.filter(type=PRUNE, created_at__gte=midnight)
    due = Workspace.objects.filter(Q(Exists(old_runs)) | Q(Exists(old_details)))
    return list(due.exclude(Exists(runs_today)).order_by("pk"))


register_starter(PRUNE, WORKSPACE, lambda workspace, by: dispatch_prune(workspace, by=by))
