"""`OperationRunService`: the only way to dispatch and update runs.

Every write to a running run repeats `status = 'running'` in its WHERE, so that a worker that comes
back after its run has ended changes nothing and is told so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from operations.catalog import Retry
from operations.conflicts import retry_on_serialization_failure
from operations.counts import Counts, validate_increments
from operations.delivery.publisher import Wakeup, publish
from operations.dispatch import RunRequest, ensure_rows, insert_blocked
from operations.events import Event, append_events
from operations.failures import Failure, merge_failures
from operations.models import EventLevel, OperationRun
from operations.progress import ItemResult, Progress, write_items, write_progress
from operations.reasons import LOST_WORKER, SafeError
from operations.states import Ending, RunOutcome, RunStatus, derive_outcome
from operations.types import OperationRunType
from redaction.text import sanitize_text
from tenancy.models import User

log = logging.getLogger(__name__)


class RunNoLongerActive(Exception):
    """The run has ended already; nothing was changed."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"Run {run_id} has ended already, so nothing was changed.")


class NotRetryable(Exception):
    """This run cannot be retried; the text says why."""


@dataclass
class DispatchResult:
    """The run of a request. `created` is False where it joined the run already there.

    `published` tells whether the broker took the message; None until the transaction commits, and
    for a joined run.
    """

    run: OperationRun
    created: bool
    published: bool | None = None


class OperationRunService:
    """Dispatches, claims, updates and ends runs."""

    # --- dispatch ---------------------------------------------------------------------------------

    def ensure_run(self, request: RunRequest) -> DispatchResult:
        """The active run of the request's identity, or a new queued one.

        Correct under any number of racing callers, inside or outside a transaction. Nothing is
        published at once; the relay finds the row. Inside a transaction the others wait for its
        end, so keep it short, and ask for several runs in one `ensure_runs`: two transactions
        that ask one by one in opposite order are a deadlock, which Postgres ends.
        """
        return self.ensure_runs([request])[0]

    @retry_on_serialization_failure
    @transaction.atomic
    def ensure_runs(
        self, requests: Sequence[RunRequest], *, record_deduplicated: bool = True
    ) -> list[DispatchResult]:
        """`ensure_run` for a batch, in a bounded number of statements; results in the same order.

        `record_deduplicated=False` is for a caller that does something else with a request whose run is
        active already: the timeline of that run is left alone.
        """
        placed = ensure_rows([request.row() for request in requests])
        runs = OperationRun.objects.with_scope().in_bulk([run_id for run_id, _ in placed])
        append_events(
            (run_id, _dispatch_event(request, created=created))
            for request, (run_id, created) in zip(requests, placed, strict=True)
            if created or record_deduplicated
        )
        return [DispatchResult(runs[run_id], created) for run_id, created in placed]

    def dispatch_or_fail(self, run_type: OperationRunType, **request: Any) -> DispatchResult:
        """Dispatch one run and hand it to the broker after commit.

        The keyword arguments are those of `RunRequest`. The broker refusing never loses the run
        and never raises: the relay sends it later. Any other error while handing it over ends it
        as `failed / dispatch_failed`: there is no orphan.
        """
        return self.dispatch_many([RunRequest(type=run_type, **request)])[0]

    def dispatch_many(
        self, requests: Sequence[RunRequest], *, record_deduplicated: bool = True
    ) -> list[DispatchResult]:
        """`dispatch_or_fail` for a batch of any size, in a bounded number of statements."""
        results = self.ensure_runs(requests, record_deduplicated=record_deduplicated)
        created = [result for result in results if result.created]
        if created:
            transaction.on_commit(lambda: self._hand_over(created))
        return results

    def block(
        self, run_type: OperationRunType, *, reason: SafeError, **request: Any
    ) -> OperationRun | None:
        """Record a run that could not start: it ends as blocked, with the reason and a next step.

        The keyword arguments are those of `RunRequest`. None if it is for a slot that has its run
        already.
        """
        runs = self.block_many([(RunRequest(type=run_type, **request), reason)])
        return runs[0] if runs else None

    @transaction.atomic
    def block_many(self, blocked: Sequence[tuple[RunRequest, SafeError]]) -> list[OperationRun]:
        """`block` for a batch, in a bounded number of statements; the runs that were recorded."""
        run_ids = insert_blocked(
            [request.row() | _blocked_columns(reason) for request, reason in blocked]
        )
        runs = OperationRun.objects.with_scope().in_bulk(run_ids)
        append_events((run.pk, _blocked_event(run)) for run in runs.values())
        return list(runs.values())

    def _hand_over(self, results: Sequence[DispatchResult]) -> None:
        wakeups: list[Wakeup] = [(result.run.pk, result.run.type) for result in results]
        try:
            taken = publish(wakeups)
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("dispatch failed, reference %s", reference)
            self._fail_dispatch(wakeups, SafeError("dispatch_failed", reference=reference))
            return
        for result in results:
            result.published = taken

    def _fail_dispatch(self, wakeups: Sequence[Wakeup], error: SafeError) -> None:
        for run_id, _ in wakeups:
            with transaction.atomic():
                if self._close(run_id, RunStatus.QUEUED, RunOutcome.FAILED, [_failure(error)]):
                    append_events([(run_id, _ended_event(RunOutcome.FAILED, Counts()))])

    # --- what a worker does -----------------------------------------------------------------------

    @retry_on_serialization_failure
    @transaction.atomic
    def claim(self, run_id: int, worker: str) -> OperationRun | None:
        """Take a queued run: the run for exactly one caller, None for all others."""
        worker = sanitize_text(worker, max_length=200)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET status = 'running', worker = %s, next_publish_at = NULL,"
                " started_at = clock_timestamp(), heartbeat_at = clock_timestamp(),"
                " updated_at = clock_timestamp() WHERE id = %s AND status = 'queued' RETURNING id",
                [worker, run_id],
            )
            if cursor.fetchone() is None:
                return None
        append_events([(run_id, Event("started", f"Started by {worker}.", actor=worker))])
        return self._fresh(run_id)

    def heartbeat(self, run_id: int) -> bool:
        """Renew the lease by the database's clock; whether somebody has asked the run to stop.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        return self.record_progress(run_id, Progress())

    @retry_on_serialization_failure
    @transaction.atomic
    def record_progress(self, run_id: int, progress: Progress) -> bool:
        """Write a batch of counts, items, failures and events; whether a stop was asked for.

        Counts are added in one atomic statement: concurrent writers lose nothing. Every batch
        renews the lease.

        Raises:
            ValueError: an unknown count, or one that is not a non-negative integer.
            RunNoLongerActive: the run has ended; nothing of the batch was kept.
        """
        stop_wanted = write_progress(run_id, progress)
        if stop_wanted is None:
            raise RunNoLongerActive(run_id)
        if progress.failures:
            self._add_failures(run_id, progress.failures)
        write_items(run_id, progress.items)
        append_events((run_id, event) for event in progress.events)
        return stop_wanted

    def update_run(
        self,
        run_id: int,
        *,
        phase: str = "",
        meta: Mapping[str, str | int | bool | None] | None = None,
    ) -> None:
        """Say what a running run is doing; `meta` holds short facts for its page.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        facts = {**(meta or {}), **({"phase": phase} if phase else {})}
        self.record_progress(run_id, Progress(meta=facts))

    def increment_summary_counts(self, run_id: int, **increments: int) -> None:
        """Add to the counts of a running run.

        Raises:
            ValueError: an unknown count, or one that is not a non-negative integer.
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(increments=validate_increments(increments)))

    def append_failures(self, run_id: int, failures: Iterable[Failure]) -> None:
        """Add failures to a running run, grouped by cause.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(failures=list(failures)))

    def record_items(self, run_id: int, items: Iterable[ItemResult]) -> None:
        """Write what became of items; the last word on an item holds. Counts are not touched.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(items=list(items)))

    def add_event(self, run_id: int, event: Event) -> None:
        """Put a line on the timeline of a run.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(events=[event]))

    def record_late_write(self, run_id: int, worker: str) -> None:
        """Put on the timeline that a worker came back after its run had ended."""
        message = f"{worker} reported after the run had ended; its report was refused."
        late = Event("late_write_refused", message, EventLevel.WARNING, actor=worker)
        append_events([(run_id, late)])

    @retry_on_serialization_failure
    @transaction.atomic
    def complete(
        self, run_id: int, *, ending: Ending = Ending.FINISHED, error: SafeError | None = None
    ) -> OperationRun:
        """Close a running run, exactly once; its outcome follows from its counts and its ending.

        `error` is what ended it, if not its own end. Items that were expected and never reached
        are told as a failure of their own.

        Raises:
            RunNoLongerActive: somebody else has closed it.
        """
        # A plain FOR UPDATE would wait for whoever joins the run meanwhile, and he for us.
        run = OperationRun.objects.select_for_update(no_key=True).filter(pk=run_id).first()
        if run is None or not run.is_running:
            raise RunNoLongerActive(run_id)
        told = [_failure(error)] if error else []
        if ending == Ending.FINISHED and run.counts.not_attempted:
            told.append(_failure(SafeError("not_attempted"), count=run.counts.not_attempted))
        outcome = derive_outcome(run.counts, _ending(run, ending, error))
        self._close(run_id, RunStatus.RUNNING, outcome, told, run.failure_summary)
        append_events([(run_id, _ended_event(outcome, run.counts))])
        return self._fresh(run_id)

    @transaction.atomic
    def end_lost_run(self, run: OperationRun, *, error: SafeError) -> OperationRun:
        """Close an active run that nothing more will come of, for the reason given.

        It has failed; or is cancelled, if it was asked to stop and its worker is gone. The caller has locked the row and made sure that it is lost.

        Raises:
            RunNoLongerActive: it has ended.
        """
        outcome = derive_outcome(run.counts, _ending(run, Ending.ERROR, error))
        told = [_failure(error)]
        if not self._close(run.pk, RunStatus(run.status), outcome, told, run.failure_summary):
            raise RunNoLongerActive(run.pk)
        append_events([(run.pk, _ended_event(outcome, run.counts))])
        return self._fresh(run.pk)

    # --- what a person does -----------------------------------------------------------------------

    @retry_on_serialization_failure
    @transaction.atomic
    def request_cancel(self, run: OperationRun, *, by: User, reason: str = "") -> OperationRun:
        """Ask for a run to stop.

        A queued run ends at once. A running one is asked to: its worker stops between two
        items and leaves honest partial counts. The runs that it has started itself are asked
        too. Asking twice changes nothing.

        Raises:
            RunNoLongerActive: it had ended already.
        """
        because = f" Reason: {reason}" if reason else ""
        status = self._mark_cancel_requested(run.pk, by)
        if status == RunStatus.QUEUED:
            self._close(run.pk, RunStatus.QUEUED, RunOutcome.CANCELLED)
            ended = Event("cancelled", f"Cancelled before it started.{because}", actor=by.username)
            append_events([(run.pk, ended)])
        elif status == RunStatus.RUNNING:
            asked = Event("cancel_requested", f"Asked to stop.{because}", actor=by.username)
            append_events([(run.pk, asked)])
        fresh = self._fresh(run.pk)
        if status is None and not fresh.is_active:
            raise RunNoLongerActive(run.pk)
        self._cancel_child_runs(fresh, by, reason)
        return fresh

    def _cancel_child_runs(self, run: OperationRun, by: User, reason: str) -> None:
        for part in run.child_runs().active().order_by("pk"):
            with contextlib.suppress(RunNoLongerActive):
                self.request_cancel(part, by=by, reason=reason or f"Run {run.pk} was cancelled.")

    def retry(
        self,
        run: OperationRun,
        *,
        by: User | None = None,
        initiator_name: str = "",
        submission: uuid.UUID | None = None,
    ) -> DispatchResult:
        """A new run for what an ended one did not get done; the active one, if there is one.

        Raises:
            NotRetryable: it is still active, has succeeded, or its type may not be repeated.
        """
        request = _retry_request(run, by, initiator_name, submission)
        return self.dispatch_many([request])[0]

    def retry_many(
        self,
        runs: Sequence[OperationRun],
        *,
        by: User | None = None,
        submission: uuid.UUID | None = None,
    ) -> list[DispatchResult | NotRetryable]:
        """`retry` for a batch, in a bounded number of statements; results in the same order."""
        answers: list[RunRequest | NotRetryable] = []
        for run in runs:
            try:
                answers.append(_retry_request(run, by, "", submission))
            except NotRetryable as refused:
                answers.append(refused)
        requests = [answer for answer in answers if isinstance(answer, RunRequest)]
        results = iter(self.dispatch_many(requests) if requests else [])
        return [next(results) if isinstance(answer, RunRequest) else answer for answer in answers]

    @retry_on_serialization_failure
    @transaction.atomic
    def acknowledge(self, run: OperationRun, *, by: User) -> OperationRun:
        """Take a run out of "needs attention"; doing it twice changes nothing."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET acknowledged_at = clock_timestamp(),"
                " acknowledged_by_id = %s, updated_at = clock_timestamp()"
                " WHERE id = %s AND acknowledged_at IS NULL"
                " AND outcome IN ('failed', 'partially_succeeded', 'blocked')",
                [by.pk, run.pk],
            )
            changed = cursor.rowcount == 1
        if changed:
            append_events([(run.pk, Event("acknowledged", "Acknowledged.", actor=by.username))])
        return self._fresh(run.pk)

    # --- single statements ------------------------------------------------------------------------

    def _close(
        self,
        run_id: int,
        status: RunStatus,
        outcome: RunOutcome,
        failures: Sequence[Failure] = (),
        stored: Sequence[dict[str, Any]] = (),
    ) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET status = 'completed', outcome = %s,"
                " failure_summary = %s::jsonb, next_publish_at = NULL,"
                " completed_at = clock_timestamp(), updated_at = clock_timestamp()"
                " WHERE id = %s AND status = %s",
                [outcome, json.dumps(merge_failures(list(stored), failures)), run_id, status],
            )
            return bool(cursor.rowcount == 1)

    def _add_failures(self, run_id: int, failures: Sequence[Failure]) -> None:
        """Merge failures into a run whose row this transaction holds."""
        stored = OperationRun.objects.values_list("failure_summary", flat=True).get(pk=run_id)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET failure_summary = %s::jsonb WHERE id = %s",
                [json.dumps(merge_failures(stored, failures)), run_id],
            )

    def _mark_cancel_requested(self, run_id: int, by: User) -> str | None:
        """The status of the run if this call was the first to ask, else None."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET cancel_requested_at = clock_timestamp(),"
                " cancel_requested_by_id = %s, updated_at = clock_timestamp()"
                " WHERE id = %s AND status IN ('queued', 'running')"
                " AND cancel_requested_at IS NULL RETURNING status",
                [by.pk, run_id],
            )
            row = cursor.fetchone()
        return row[0] if row else None

    def _fresh(self, run_id: int) -> OperationRun:
        return OperationRun.objects.with_scope().get(pk=run_id)


def _ending(run: OperationRun, ending: Ending, error: SafeError | None) -> Ending:
    """How a run ended; one that was asked to stop and has lost its worker has stopped."""
    is_lost = error is not None and error.code in LOST_WORKER
    return Ending.CANCELLED if is_lost and run.cancel_requested_at else ending


def _retry_request(
    run: OperationRun, by: User | None, initiator_name: str, submission: uuid.UUID | None
) -> RunRequest:
    entry = run.catalog
    if entry is None or entry.retry is Retry.NEVER:
        raise NotRetryable("Operations of this type are never repeated; start a new one.")
    if run.is_active:
        raise NotRetryable("The run is still active; wait for its end or cancel it.")
    if run.outcome == RunOutcome.SUCCEEDED:
        raise NotRetryable("The run has succeeded: there is nothing to repeat.")
    context = dict(run.context)
    return RunRequest(
        type=entry.retry_as or OperationRunType(run.type),
        workspace=run.workspace,
        tenant=run.tenant,
        by=by,
        initiator_name=initiator_name,
        inputs=context.pop("idempotency", {}),
        context=context,
        retry_of=run,
        submission=submission,
    )


def _dispatch_event(request: RunRequest, *, created: bool) -> Event:
    if created:
        return Event("created", f"Requested by {request.initiator}.", actor=request.initiator)
    joined = f"{request.initiator} asked for the same operation and joined this run."
    return Event("joined", joined, actor=request.initiator)


def _blocked_columns(reason: SafeError) -> dict[str, Any]:
    return {"failure_summary": merge_failures([], [_failure(reason)])}


def _blocked_event(run: OperationRun) -> Event:
    return Event("blocked", run.failure_summary[0]["message"], EventLevel.WARNING)


_ENDED_LEVELS = {
    RunOutcome.SUCCEEDED: EventLevel.INFO,
    RunOutcome.CANCELLED: EventLevel.INFO,
    RunOutcome.FAILED: EventLevel.ERROR,
}


def _ended_event(outcome: RunOutcome, counts: Counts) -> Event:
    level = _ENDED_LEVELS.get(outcome, EventLevel.WARNING)
    numbers = {"succeeded": counts.succeeded, "failed": counts.failed, "skipped": counts.skipped}
    return Event("ended", f"Ended: {outcome.label.lower()}.", level, data=numbers)


def _failure(error: SafeError, *, count: int = 1) -> Failure:
    return Failure(error, at=timezone.now().isoformat(timespec="seconds"), count=count)
