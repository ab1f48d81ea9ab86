"""`ActiveRun`: the interface through which a handler reads its run and reports progress.

Reports are buffered and written in batches, at most a second late, each batch in one short
transaction. Each write also reads whether cancellation was requested.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from django.conf import settings

from operations.counts import COUNT_KEYS, Counts, validate_increments
from operations.events import Event
from operations.failpoints import failpoint
from operations.failures import Failure
from operations.models import EventLevel, OperationRun
from operations.progress import ItemResult, Progress
from operations.reasons import SafeError
from operations.services import OperationRunService
from operations.states import ItemOutcome
from tenancy.models import Tenant, Workspace

FLUSH_SECONDS = 1.0
FLUSH_ITEMS = 50
#: The most phases and waits of a run that have a line on its timeline.
MAX_STAGES = 200


class StopRun(BaseException):
    """The handler must stop between two items; `execute` handles it.

    It is not an `Exception`, so that a handler that catches errors does not catch it.
    """


class CancelRequested(StopRun):
    """Cancellation of the run was requested."""


class LeaseLost(StopRun):
    """The worker cannot renew its lease."""


class ActiveRun:
    """A claimed run, as passed to its handler."""

    def __init__(
        self, run: OperationRun, service: OperationRunService, *, claimed_at: float | None = None
    ) -> None:
        """`claimed_at` is the monotonic time at which the claim was sent; the lease starts then."""
        self.run = run
        self._service = service
        self._increments: dict[str, int] = {}
        self._meta: dict[str, str | int | bool | None] = {}
        self._items: list[ItemResult] = []
        self._failures: list[Failure] = []
        self._events: list[Event] = []
        self._reported_keys: set[str] = set()
        self._phase = ""
        self._stages = 0
        self._total = 0
        self._last_flush = time.monotonic()
        self._stop: StopRun | None = None
        self._claimed_at = time.monotonic() if claimed_at is None else claimed_at
        #: Whether reports were sent, so that the row is not as it was claimed.
        self.has_reported = False
        #: The monotonic time at which the last successful renewal of the lease was sent.
        self.renewed_at = self._claimed_at

    @property
    def id(self) -> int:
        return self.run.pk

    @property
    def workspace(self) -> Workspace:
        return self.run.workspace

    @property
    def tenant(self) -> Tenant:
        """The tenant of the run.

        Raises:
            RuntimeError: the run belongs to a workspace, not to a tenant.
        """
        if self.run.tenant is None:
            raise RuntimeError(f"{self.run.type} has no tenant")
        return self.run.tenant

    @property
    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = self.run.context
        return context

    @property
    def inputs(self) -> dict[str, Any]:
        """The inputs of the run's identity, as JSON values."""
        inputs: dict[str, Any] = self.context.get("idempotency", {})
        return inputs

    # --- reporting --------------------------------------------------------------------------------

    def expect(self, total: int) -> None:
        """Set the number of expected items; call it again if there are more."""
        if total > self._total:
            self._count(total=total - self._total)
            self._total = total
        self._flush_if_due()

    def report_success(self, key: str, *, label: str = "", link: str = "", **counts: int) -> None:
        """Report an item as succeeded; `counts` adds to other counts, such as `created=1`."""
        item = ItemResult(key, ItemOutcome.SUCCEEDED, label=label, link=link)
        self._add_item(item, processed=1, succeeded=1, **counts)

    def report_skip(self, key: str, reason: SafeError, *, label: str = "", link: str = "") -> None:
        """Report an item as skipped, with the reason."""
        item = ItemResult(key, ItemOutcome.SKIPPED, label=label, error=reason, link=link)
        self._add_item(item, processed=1, skipped=1)

    def report_failure(
        self, key: str, error: SafeError, *, label: str = "", link: str = ""
    ) -> None:
        """Report an item as failed, with the error."""
        self._add_failure(error, label or key)
        item = ItemResult(key, ItemOutcome.FAILED, label=label, error=error, link=link)
        self._add_item(item, processed=1, failed=1)

    def tally(self, *, succeeded: int, **counts: int) -> None:
        """Count items as succeeded that need no line each, such as unchanged items."""
        self._count(processed=succeeded, succeeded=succeeded, **counts)
        self._flush_if_due()

    def report_child_run(
        self,
        key: str,
        counts: Counts,
        *,
        error: SafeError | None = None,
        label: str = "",
        link: str = "",
    ) -> None:
        """Report an ended child run as one item.

        Its counts are added to the counts of this run, so that the outcome follows from the work
        of all child runs. A child run that failed without a failed item counts as one.
        """
        increments = {name: getattr(counts, name) for name in COUNT_KEYS}
        if error and not (counts.failed or counts.not_attempted):
            for name in ("total", "processed", "failed"):
                increments[name] += 1
        self._total += increments["total"]
        if error:
            self._add_failure(error, label or key)
        outcome = ItemOutcome.FAILED if error else ItemOutcome.SUCCEEDED
        item = ItemResult(key, outcome, label=label, error=error, link=link)
        self._add_item(item, **increments)

    def set_phase(self, text: str, detail: str = "") -> None:
        """Set what the run is doing now, in a few words; its page shows it beside the progress.

        A text that differs from the last one is a phase on the timeline. The detail, such as a
        count, changes within a phase.
        """
        self.set_meta(phase=f"{text}: {detail}" if detail else text)
        if text != self._phase:
            self._phase = text
            self._add_stage("phase", text)
        self._flush_if_due()

    def report_wait(self, cause: str, seconds: float) -> None:
        """Add a wait of this many seconds, which begins now, to the timeline."""
        message = f"{cause}: waiting {max(1, round(seconds))} s."
        self._add_stage(
            "wait", message, EventLevel.WARNING, cause=cause, wait_ms=round(seconds * 1000)
        )

    def set_meta(self, **facts: str | int | bool | None) -> None:
        """Store short facts for the run's page."""
        self._meta.update(facts)

    def add_note(self, message: str, level: EventLevel = EventLevel.INFO) -> None:
        """Add a line to the run's timeline."""
        self._events.append(Event("note", message, EventLevel(level), actor=self.run.worker))
        self._flush_if_due()

    def checkpoint(self) -> None:
        """Write buffered reports if due, and stop the handler if necessary; call it between items.

        Raises:
            StopRun: cancellation was requested or the lease is lost. Do not catch it.
        """
        if self._stop:
            raise self._stop
        if self.remaining_lease() <= 0:
            # After a freeze, the process may reach this line before the guard thread runs.
            raise LeaseLost
        if time.monotonic() - self._last_flush >= FLUSH_SECONDS:
            self.flush()
        if self._stop:
            raise self._stop

    # --- execution -------------------------------------------------------------------------------

    def stop(self, reason: StopRun) -> None:
        """Make the next checkpoint raise `reason`; safe to call from another thread."""
        self._stop = reason

    def record_renewal(self, sent_at: float) -> None:
        """Record a renewal of the lease that was sent at this monotonic time."""
        self.renewed_at = max(self.renewed_at, sent_at)

    def remaining_lease(self) -> float:
        """Return the seconds until the lease ends, counted from the last successful renewal."""
        return float(settings.RUN_LEASE_SECONDS) - (time.monotonic() - self.renewed_at)

    def flush_rest(self) -> None:
        """Write the reports that are still buffered, if there are any, like `flush`."""
        if self._increments or self._meta or self._items or self._failures or self._events:
            self.flush()

    def flush(self) -> None:
        """Write all buffered reports, and renew the lease.

        Raises:
            RunNoLongerActive: the run has ended; the batch was refused.
        """
        progress = Progress(
            increments=self._increments,
            meta=self._meta,
            items=self._items,
            failures=self._failures,
            events=self._events,
        )
        self._increments, self._meta = {}, {}
        self._items, self._failures, self._events = [], [], []
        self._last_flush = sent_at = time.monotonic()
        self.has_reported = True
        failpoint("report.before")
        if self._service.record_progress(self.id, progress):
            self.stop(CancelRequested())
        failpoint("report.after")
        self.record_renewal(sent_at)

    def _add_item(self, item: ItemResult, **increments: int) -> None:
        """Store an item, with what it adds to the counts.

        Raises:
            ValueError: the item was reported before, or a count is not valid.
        """
        if item.key in self._reported_keys:
            raise ValueError(f"The item {item.key!r} was reported twice")
        self._count(**increments)
        self._reported_keys.add(item.key)
        self._items.append(replace(item, label=item.label or item.key))
        self._flush_if_due()

    def _add_failure(self, error: SafeError, item: str) -> None:
        self._failures.append(Failure(error, item=item))

    def _add_stage(
        self, kind: str, message: str, level: EventLevel = EventLevel.INFO, **data: str | int
    ) -> None:
        """Add a phase or a wait with its time since the claim: reports are written later."""
        self._stages += 1
        if self._stages <= MAX_STAGES:
            data["after_ms"] = round((time.monotonic() - self._claimed_at) * 1000)
            self._events.append(Event(kind, message, level, data=data, actor=self.run.worker))

    def _count(self, **increments: int) -> None:
        for key, value in validate_increments(increments).items():
            self._increments[key] = self._increments.get(key, 0) + value

    def _flush_if_due(self) -> None:
        is_due = time.monotonic() - self._last_flush >= FLUSH_SECONDS
        if is_due or len(self._items) >= FLUSH_ITEMS:
            self.flush()
