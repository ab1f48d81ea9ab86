"""One run that starts many and ends as they did."""

from __future__ import annotations

import time
from collections.abc import Iterator

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


class FanOut:
    """The inventory syncs of a workspace's tenants, in the hands of the run that started them.

    While some of them wait for a worker, this one takes them itself: a worker with one place
    would otherwise wait for itself for ever. A claim is exclusive, so nothing runs twice.
    """

    def __init__(self, run: ActiveRun) -> None:
        self._run = run
        self._service = OperationRunService()

    def run_to_the_end(self) -> None:
        """Start, work, wait and report.

        Raises:
            Blocked: the workspace has no active tenant.
            StopRun: the run was asked to stop; `request_cancel` has asked its children too.
        """
        waiting = self._start()
        count = len(waiting)
        while waiting:
            self._run.checkpoint()
            for child in self._ended(waiting):
                waiting.discard(child.pk)
                self._report(child)
                self._run.set_phase(f"{count - len(waiting)} of {count} tenants")
            if waiting and not self._take_one(waiting):
                time.sleep(POLL_SECONDS)

    def _start(self) -> set[int]:
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
        self._run.set_phase(f"0 of {len(requests)} tenants")
        return {result.run.pk for result in self._service.dispatch_many(requests)}

    def _ended(self, waiting: set[int]) -> Iterator[OperationRun]:
        ended = OperationRun.objects.filter(pk__in=waiting, status=RunStatus.COMPLETED)
        yield from ended.with_scope().order_by("completed_at", "pk")

    def _take_one(self, waiting: set[int]) -> bool:
        queued = OperationRun.objects.filter(pk__in=waiting, status=RunStatus.QUEUED)
        oldest = queued.order_by("pk").values_list("pk", flat=True).first()
        return oldest is not None and execution.execute(oldest)

    def _report(self, child: OperationRun) -> None:
        self._run.report_child_run(
            f"run:{child.pk}",
            child.counts,
            error=_error_of(child),
            label=str(child.tenant),
            link=child.get_absolute_url(),
        )


def _error_of(child: OperationRun) -> SafeError | None:
    """Why a child did not succeed: its first cause, or only how it ended."""
    if child.outcome == RunOutcome.SUCCEEDED:
        return None
    cause = child.failures[0]["label"] if child.failures else "no cause was recorded"
    outcome = child.get_outcome_display().lower()
    return SafeError("tenant_not_synced", outcome=outcome, cause=cause)
