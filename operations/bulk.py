"""Bulk actions: what each would do with each run, and what it did.

Each run goes through the same service as its own button.
"""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from operations.models import OperationRun
from operations.permissions import Capabilities, may_acknowledge, may_cancel, may_retry
from operations.services import (
    DispatchResult,
    NotRetryable,
    OperationRunService,
    RunNoLongerActive,
    check_retryable,
)
from tenancy.models import User
from tenancy.roles import Capability

#: Runs that are dispatched in one transaction.
BATCH_SIZE = 50

Runs = list[OperationRun]


@dataclass(frozen=True)
class Result:
    """What would happen to a run, or what happened to it.

    `changes`: whether the action changes it. `other_id`: another run that the text is about.
    """

    text: str
    changes: bool = False
    other_id: int | None = None


NOT_PERMITTED = Result("not allowed by your role")


@dataclass(frozen=True)
class Order:
    """Who ordered a bulk action, with which form, and what was entered in it."""

    by: User
    submission: uuid.UUID | None = None
    note: str = ""
    assignee: User | None = None


class BulkAction(ABC):
    """An action for many runs."""

    route: ClassVar[str]
    verb: ClassVar[str]
    icon: ClassVar[str]
    capability: ClassVar[Capability]
    #: What the preview says about the action.
    explanation: ClassVar[str]
    #: Whether its form has a note and an assignee.
    has_note: ClassVar[bool] = False

    @abstractmethod
    def is_permitted(self, run: OperationRun, user: User, capabilities: Capabilities) -> bool:
        """Return whether the user may do this with the run."""

    @abstractmethod
    def preview(self, runs: Runs) -> Iterator[Result]:
        """Yield what would happen to each run."""

    @abstractmethod
    def perform(self, runs: Runs, order: Order) -> Iterator[Result]:
        """Do it; yield what happened to each run."""


class BulkRetry(BulkAction):
    route = "run_retry_many"
    verb = "Retry"
    icon = "refresh"
    capability = Capability.RETRY_RUN
    explanation = "Each retry is a new run for what the earlier run did not complete."

    def is_permitted(self, run: OperationRun, user: User, capabilities: Capabilities) -> bool:
        return may_retry(run, user, capabilities)

    def preview(self, runs: Runs) -> Iterator[Result]:
        identities = {run.run_identity_hash for run in runs}
        workspaces = {run.workspace_id for run in runs}
        active = OperationRun.objects.active().filter(
            workspace__in=workspaces, run_identity_hash__in=identities
        )
        retries = dict(active.values_list("run_identity_hash", "pk"))
        chosen: dict[str, int] = {}
        for run in runs:
            identity = run.run_identity_hash
            try:
                check_retryable(run)
            except NotRetryable as refusal:
                yield Result(refusal.label)
                continue
            if identity in retries:
                yield Result("already being retried", other_id=retries[identity])
            elif identity in chosen:
                yield Result("same operation as another of these runs", other_id=chosen[identity])
            else:
                chosen[identity] = run.pk
                yield Result("can be retried", changes=True)

    def perform(self, runs: Runs, order: Order) -> Iterator[Result]:
        service = OperationRunService()
        for start in range(0, len(runs), BATCH_SIZE):
            batch = runs[start : start + BATCH_SIZE]
            for retry in service.retry_many(batch, by=order.by, submission=order.submission):
                if not isinstance(retry, DispatchResult):
                    yield Result(retry.label)
                elif retry.created:
                    yield Result("retried", changes=True, other_id=retry.run.pk)
                else:
                    yield Result("already being retried", other_id=retry.run.pk)


class BulkAcknowledge(BulkAction):
    route = "run_acknowledge_many"
    verb = "Acknowledge"
    icon = "eye-check"
    capability = Capability.ACKNOWLEDGE_RUN
    explanation = "Acknowledged runs leave “Needs attention”. Their incidents stay open."
    has_note = True

    def is_permitted(self, run: OperationRun, user: User, capabilities: Capabilities) -> bool:
        return may_acknowledge(run, user, capabilities)

    def preview(self, runs: Runs) -> Iterator[Result]:
        for run in runs:
            if run.is_acknowledgeable:
                yield Result("can be acknowledged", changes=True)
            else:
                yield Result(_settled(run), other_id=run.recovered_by_id)

    def perform(self, runs: Runs, order: Order) -> Iterator[Result]:
        acknowledged = OperationRunService().acknowledge_many(
            runs, by=order.by, note=order.note, assignee=order.assignee
        )
        settled = OperationRun.objects.in_bulk({run.pk for run in runs} - acknowledged)
        for run in runs:
            if run.pk in acknowledged:
                yield Result("acknowledged", changes=True)
            elif now := settled.get(run.pk):
                yield Result(_settled(now), other_id=now.recovered_by_id)
            else:
                yield Result("removed by retention")


class BulkCancel(BulkAction):
    route = "run_cancel_many"
    verb = "Cancel"
    icon = "player-stop"
    capability = Capability.CANCEL_OWN_RUN
    explanation = (
        "A queued run ends before it starts. A running run stops after the current item; completed"
        " items are not rolled back. Child runs are cancelled, too."
    )

    def is_permitted(self, run: OperationRun, user: User, capabilities: Capabilities) -> bool:
        return may_cancel(run, user, capabilities)

    def preview(self, runs: Runs) -> Iterator[Result]:
        for run in runs:
            if not run.is_active:
                yield Result("already ended")
            elif run.cancel_requested_at:
                yield Result("already stopping")
            else:
                yield Result("can be cancelled", changes=True)

    def perform(self, runs: Runs, order: Order) -> Iterator[Result]:
        for run in runs:
            try:
                cancelled, is_first = OperationRunService().request_cancel_once(run, by=order.by)
            except RunNoLongerActive:
                yield Result("already ended")
            else:
                text = "stopping" if cancelled.is_active else "cancelled"
                yield Result(text if is_first else f"already {text}", changes=is_first)


#: In the order of their buttons.
RETRY, ACKNOWLEDGE, CANCEL = BulkRetry(), BulkAcknowledge(), BulkCancel()
BULK_ACTIONS: tuple[BulkAction, ...] = (ACKNOWLEDGE, RETRY, CANCEL)


def _settled(run: OperationRun) -> str:
    """Return why a run needs no acknowledgment."""
    if run.recovered_at:
        return "already recovered"
    return "already acknowledged" if run.acknowledged_at else "without a problem"
