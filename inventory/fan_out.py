"""Run a child run for each tenant and sum up the results."""

from __future__ import annotations

import time

from inventory.services import sync_request
from operations.models import OperationRun
from operations.reasons import Blocked, SafeError
from operations.services import OperationRunService
from operations.states import RunOutcome, RunStatus
from operations.types import OperationRunType
from operations.worker import execution
from operations.worker.active_run import ActiveRun
from tenancy.models import Tenant

POLL_SECONDS = 1.0
PHASE = "Syncing tenants"


class FanOut:
    """The inventory syncs of a workspace's tenants, as child runs of one run.

    While child runs are queued, this worker executes them: a worker with one process would
    otherwise wait for itself forever. A claim is exclusive, so no run is executed twice.
    """

    def __init__(self, run: ActiveRun) -> None:
        self._run = run
        self._service = OperationRunService()

    def run_until_complete(self) -> None:
        """Start the child runs, execute queued ones, and report each when it has completed.

        Raises:
            Blocked: the workspace has no active tenant.
            StopRun: the run was asked to stop; `request_cancel` has asked its child runs, too.
        """
        active = self._start_child_runs()
        count = len(active)
        while active:
            self._run.checkpoint()
            children = OperationRun.objects.filter(pk__in=active)
            completed = children.filter(status=RunStatus.COMPLETED).with_scope()
            for child in completed.order_by("completed_at", "pk"):
                active.discard(child.pk)
                self._report(child)
                self._run.set_phase(PHASE, f"{count - len(active)} of {count}")
            queued = children.filter(status=RunStatus.QUEUED).order_by("pk")
            oldest = queued.values_list("pk", flat=True).first()
            has_executed = oldest is not None and execution.execute(oldest)
            if active and not has_executed:
                time.sleep(POLL_SECONDS)

    def _start_child_runs(self) -> set[int]:
        tenants = Tenant.objects.filter(workspace=self._run.workspace).active().order_by("pk")
        requests = [
            sync_request(
                OperationRunType.INVENTORY_SYNC,
                tenant,
                by=self._run.run.user,
                initiator_name=self._run.run.initiator_name,
                parent_run_id=self._run.id,
            )
            for tenant in tenants.select_related("workspace")
        ]
        if not requests:
            raise Blocked("no_active_tenant", workspace=self._run.workspace.name)
        self._run.set_phase(PHASE, f"0 of {len(requests)}")
        return {result.run.pk for result in self._service.dispatch_many(requests)}

    def _report(self, child: OperationRun) -> None:
        self._run.report_child_run(
            f"run:{child.pk}",
            child.counts,
            error=_error_of(child),
            label=str(child.tenant),
            link=child.get_absolute_url(),
        )


def _error_of(child: OperationRun) -> SafeError | None:
    """The reason why a child run did not succeed, with its outcome and its first cause."""
    if child.outcome == RunOutcome.SUCCEEDED:
        return None
    cause = child.failures[0]["label"] if child.failures else "no cause was recorded"
    outcome = child.get_outcome_display().lower()
    return SafeError("tenant_not_synced", outcome=outcome, cause=cause)
