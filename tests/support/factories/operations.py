"""Requests, and runs created by the service itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

from operations.dispatch import RunRequest
from operations.maintenance.prune import dispatch_prune
from operations.models import OperationRun
from operations.services import DispatchResult, OperationRunService
from operations.testing import run_now
from operations.types import OperationRunType
from tenancy.models import Tenant
from tests.support.factories import (
    OperationRunEventFactory,
    OperationRunFactory,
    OperationRunItemFactory,
)

RUN_NOW = OperationRunType.BACKUP_SCHEDULE_RUN_NOW
SCHEDULED = OperationRunType.BACKUP_SCHEDULE_SCHEDULED
RETRY = OperationRunType.BACKUP_SCHEDULE_RETRY
SLOT = "2026-03-08T07:00Z"


def build_request(tenant: Tenant, schedule: int = 1, **more: Any) -> RunRequest:
    """Build a request for the backup of a schedule."""
    values: dict[str, Any] = {
        "type": RUN_NOW,
        "workspace": tenant.workspace,
        "tenant": tenant,
        "inputs": {"backup_schedule_id": schedule},
        "context": {"backup_schedule_id": schedule},
    }
    return RunRequest(**values | more)


def build_slot_request(tenant: Tenant, schedule: int = 1, slot: str = SLOT) -> RunRequest:
    """Build a request for one slot of a schedule."""
    context = {"backup_schedule_id": schedule, "scheduled_for": slot}
    return build_request(tenant, schedule, type=SCHEDULED, context=context)


def dispatch(tenant: Tenant, schedule: int = 1, **more: Any) -> DispatchResult:
    """Dispatch the backup of a schedule."""
    request = dict(vars(build_request(tenant, schedule, **more)))
    return OperationRunService().dispatch_or_fail(request.pop("type"), **request)


def create_queued_run(tenant: Tenant, schedule: int = 1, **more: Any) -> OperationRun:
    """Create a queued run."""
    return OperationRunService().ensure_run(build_request(tenant, schedule, **more)).run


def create_running_run(tenant: Tenant, schedule: int = 1, **more: Any) -> OperationRun:
    """Create a run that worker-1 has claimed."""
    run = OperationRunService().claim(create_queued_run(tenant, schedule, **more).pk, "worker-1")
    assert run
    return run


def create_ended_run(
    tenant: Tenant, schedule: int = 1, *, submission: Any = None, **counts: int
) -> OperationRun:
    """Create a run that a worker has completed; its outcome follows from the counts."""
    run = create_running_run(tenant, schedule, submission=submission)
    OperationRunService().increment_summary_counts(run.pk, **counts)
    return OperationRunService().complete(run.pk)


def event_kinds(run: OperationRun) -> list[str]:
    """Return the kinds of the run's events in order."""
    return list(run.events.values_list("kind", flat=True))


def create_past_run(tenant: Any, days: int, trait: str = "succeeded", **more: Any) -> OperationRun:
    """Create a run that ended `days` ago, with two events and an item."""
    at = timezone.now() - dt.timedelta(days=days)
    run = OperationRunFactory(
        tenant=tenant,
        **{trait: True},
        **{"created_at": at, "started_at": at, "completed_at": at, **more},
    )
    for sequence in (1, 2):
        OperationRunEventFactory(run=run, sequence=sequence)
    OperationRunItemFactory(run=run)
    return run


def prune(workspace: Any) -> OperationRun:
    """Execute the retention of the workspace; return its run."""
    return run_now(dispatch_prune(workspace).run)
