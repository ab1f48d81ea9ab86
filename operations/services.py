"""`OperationRunService`: the only way to dispatch and update runs.

Every write to a running run repeats `status = 'running'` in its WHERE. A worker that writes after its
run has ended changes nothing and gets `RunNoLongerActive`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import logging
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection, transaction

from operations.catalog import CatalogEntry, Retry
from operations.causes import cause_of
from operations.conflicts import retry_on_serialization_failure
from operations.context import KNOWN_KEYS
from operations.counts import Counts, validate_increments
from operations.delivery.publisher import Wakeup, publish
from operations.dispatch import (
    RunRequest,
    ensure_rows,
    extend_blocked,
    insert_blocked,
    joined_event,
)
from operations.events import Event, append_events
from operations.failures import Failure, merge_failures
from operations.healing import UNRECOVERED, resolve_problems, supersede_problems
from operations.models import EventLevel, OperationRun
from operations.progress import ItemResult, Progress, write_items, write_progress
from operations.reasons import LOST_WORKER, Blocked, SafeError
from operations.rows import change_run
from operations.states import ATTENTION_OUTCOMES, Ending, RunOutcome, RunStatus, derive_outcome
from operations.traces import describe_run, start_dispatch_spans
from operations.types import OperationRunType
from redaction.text import sanitize_text
from telemetry import tracing
from telemetry.spans import Attributes
from tenancy.db import database_now, run_prepared
from tenancy.models import User

log = logging.getLogger(__name__)

#: The longest note of an acknowledgment.
MAX_NOTE = 500
#: The longest reason of a cancellation.
MAX_REASON = 200


class RunNoLongerActive(Exception):
    """The run has already ended; nothing was changed."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"Run {run_id} has already ended. Nothing was changed.")


class NotRetryable(Exception):
    """The run cannot be retried; the message says why, the label in a few words."""

    def __init__(self, label: str, message: str) -> None:
        self.label = label
        super().__init__(message)


# These statements write one run, which they find by its key. They compare the status in the order "C",
# in which no index has it: the planner would read all active runs by the index of an active ledger
# that was small when the planner last counted it.
_CLAIM = """
UPDATE operation_runs SET status = 'running', worker = %(worker)s, next_publish_at = NULL,
    started_at = clock_timestamp(), heartbeat_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(run_id)s AND status COLLATE "C" = 'queued'
"""
_REQUEST_CANCEL = """
UPDATE operation_runs SET cancel_requested_at = clock_timestamp(), cancel_requested_by_id = %s,
    updated_at = clock_timestamp()
WHERE id = %s AND status COLLATE "C" IN ('queued', 'running') AND cancel_requested_at IS NULL
RETURNING status
"""
_PROBLEMS = f"""EXISTS (
    SELECT FROM operation_runs run WHERE run.workspace_id = running.workspace_id
    AND run.run_identity_hash = running.run_identity_hash AND {UNRECOVERED})"""  # nosec B608
# `xmin` names the version of the row.
_RUNNING = f"""
SELECT xmin::text, summary_counts, failure_summary, cancel_requested_at IS NOT NULL, {_PROBLEMS}
FROM operation_runs running WHERE id = %s AND status COLLATE "C" = 'running'
"""  # noqa: S608 - assembled from constants  # nosec B608


class _Running(NamedTuple):
    """What the end of a running run depends on."""

    version: str
    counts: Counts
    failures: list[dict[str, Any]]
    cancel_requested: bool
    has_problems: bool
    #: The run, if this is its state as it was claimed.
    claimed: OperationRun | None = None

    @classmethod
    def as_claimed(cls, run: OperationRun) -> _Running:
        """Return the state of a run that has not changed since its claim."""
        return cls(
            run.row_version,
            run.counts,
            run.failure_summary,
            cancel_requested=False,
            has_problems=False,
            claimed=run,
        )


_COMPLETE = """
UPDATE operation_runs running SET status = 'completed', outcome = %(outcome)s,
    failure_summary = %(failures)s::jsonb, cause = %(cause)s, next_publish_at = NULL,
    completed_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE id = %(run_id)s AND status COLLATE "C" = 'running' AND xmin::text = %(version)s
"""
_COMPLETE_WITHOUT_PROBLEMS = f"{_COMPLETE} AND NOT {_PROBLEMS}"


@dataclass(frozen=True)
class _Closing:
    """How a run ends whose handler does not say so: its outcome and all of its failures."""

    run_id: int
    status: RunStatus
    outcome: RunOutcome
    failures: list[dict[str, Any]]

    def row(self) -> dict[str, Any]:
        """Return the values of `_CLOSE`."""
        return {
            "id": self.run_id,
            "status": self.status,
            "outcome": self.outcome,
            "failures": self.failures,
            "cause": cause_of(self.failures) if self.outcome in ATTENTION_OUTCOMES else "",
        }


_CLOSE = """
UPDATE operation_runs run SET status = 'completed', outcome = closing.outcome,
    failure_summary = closing.failures, cause = closing.cause, next_publish_at = NULL,
    completed_at = clock_timestamp(), updated_at = clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS closing(
    id bigint, status text, outcome text, failures jsonb, cause text)
WHERE run.id = closing.id AND run.status = closing.status
RETURNING run.id
"""


@dataclass
class DispatchResult:
    """The run of a request; `created` is False for a deduplicated request.

    `published` says whether the broker accepted the message. It is None until the transaction
    commits, and for a deduplicated request.
    """

    run: OperationRun
    created: bool
    published: bool | None = None


class OperationRunService:
    """Dispatches, claims, updates and ends runs."""

    # --- dispatch ---------------------------------------------------------------------------------

    def ensure_run(self, request: RunRequest) -> DispatchResult:
        """Return the active run of the request's identity, or create a queued run.

        Any number of callers may race, inside or outside a transaction. No message is published;
        the relay publishes it later. Other callers wait for the end of the transaction, so keep
        it short. Request several runs with one `ensure_runs`: two transactions that request
        single runs in opposite order deadlock.
        """
        return self.ensure_runs([request])[0]

    @retry_on_serialization_failure
    def ensure_runs(
        self, requests: Sequence[RunRequest], *, record_deduplicated: bool = True
    ) -> list[DispatchResult]:
        """Like `ensure_run` for a batch, in a bounded number of statements; results in the same order.

        `record_deduplicated=False` adds no event to the timeline of an existing run, for callers
        that handle deduplicated requests themselves.

        Raises:
            Blocked: a tenant is archived; none of the runs was created.
        """
        for request in requests:
            if request.tenant is not None and request.tenant.is_archived:
                raise Blocked("tenant_archived", tenant=request.tenant.name)
        spans = start_dispatch_spans(requests)
        try:
            parents = [span.trace_parent for span in spans]
            # One run is created by one statement.
            with contextlib.nullcontext() if len(requests) == 1 else transaction.atomic():
                ensured = ensure_rows(requests, parents, record_joined=record_deduplicated)
                if record_deduplicated:
                    append_events(
                        (run.pk, joined_event(request.initiator))
                        for request, (run, _, has_event) in zip(requests, ensured, strict=True)
                        if not has_event
                    )
            for span, (run, created, _) in zip(spans, ensured, strict=True):
                span.set({"runledger.run.id": run.pk, "runledger.run.is_new": created})
        finally:
            for span in spans:
                span.end()
        return [DispatchResult(run, created) for run, created, _ in ensured]

    def dispatch_or_fail(self, run_type: OperationRunType, **request: Any) -> DispatchResult:
        """Dispatch one run and publish its message after commit.

        The keyword arguments are those of `RunRequest`. If the broker refuses the message, nothing
        is raised and the relay publishes it later. Any other error while publishing ends the run
        as failed with the reason `dispatch_failed`.
        """
        return self.dispatch_many([RunRequest(type=run_type, **request)])[0]

    def dispatch_many(
        self, requests: Sequence[RunRequest], *, record_deduplicated: bool = True
    ) -> list[DispatchResult]:
        """Like `dispatch_or_fail` for a batch of any size, in a bounded number of statements."""
        results = self.ensure_runs(requests, record_deduplicated=record_deduplicated)
        created = [result for result in results if result.created]
        if created:
            transaction.on_commit(lambda: self._publish_runs(created))
        return results

    def block(
        self, run_type: OperationRunType, *, reason: SafeError, **request: Any
    ) -> OperationRun | None:
        """Record a run that ends as blocked without starting, with the reason and its next step.

        The keyword arguments are those of `RunRequest`.

        Returns:
            The run, or None if it is for a slot that already has a run.
        """
        runs = self.block_many([(RunRequest(type=run_type, **request), reason)])
        return runs[0] if runs else None

    def block_many(self, requests: Sequence[tuple[RunRequest, SafeError]]) -> list[OperationRun]:
        """Like `block` for a batch, in a bounded number of statements; returns the recorded runs."""
        if not requests:
            return []
        with transaction.atomic():
            now = database_now()
            return self._block_rows([_blocked_row(*blocked, now) for blocked in requests])

    def block_slots(self, requests: Sequence[tuple[RunRequest, SafeError]]) -> int:
        """Like `block_many`, but a slot that only repeats the blocked slot before it has no new run.

        The run of the slot before then stands for both, so that a long cause needs attention once.

        Returns:
            The number of slots that were recorded.
        """
        if not requests:
            return 0
        with transaction.atomic():
            now = database_now()
            rows = [_blocked_row(*blocked, now) for blocked in requests]
            recorded, extended = extend_blocked(rows)
            new = [row for at, row in enumerate(rows) if at not in recorded]
            return extended + len(self._block_rows(new))

    def _block_rows(self, rows: Sequence[dict[str, Any]]) -> list[OperationRun]:
        if not rows:
            return []
        run_ids = insert_blocked(rows)
        supersede_problems(run_ids)
        runs = OperationRun.objects.with_scope().in_bulk(run_ids)
        append_events(
            (run.pk, Event("blocked", run.failure_summary[0]["message"], EventLevel.WARNING))
            for run in runs.values()
        )
        return list(runs.values())

    def _publish_runs(self, results: Sequence[DispatchResult]) -> None:
        wakeups: list[Wakeup] = [(result.run.pk, result.run.type) for result in results]
        try:
            with tracing.spans("publish", lambda: _traces_of(result.run for result in results)):
                published = publish(wakeups)
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("dispatch failed, reference %s", reference)
            failure = Failure(SafeError("dispatch_failed", reference=reference))
            for run_id, _ in wakeups:
                with transaction.atomic():
                    if self._close(run_id, RunStatus.QUEUED, RunOutcome.FAILED, [failure]):
                        append_events([(run_id, _ended_event(RunOutcome.FAILED, Counts()))])
            return
        for result in results:
            result.published = published

    # --- worker -----------------------------------------------------------------------------------

    @retry_on_serialization_failure
    def claim(self, run_id: int, worker: str) -> OperationRun | None:
        """Claim a queued run: return it to exactly one caller, and None to all others."""
        worker = sanitize_text(worker, max_length=200)
        started = Event("started", f"Started by {worker}.", actor=worker)
        return change_run(_CLAIM, {"run_id": run_id, "worker": worker}, started)

    def heartbeat(self, run_id: int) -> bool:
        """Renew the lease by the clock of the database; return whether cancellation was requested.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        return self.record_progress(run_id, Progress())

    @retry_on_serialization_failure
    def record_progress(self, run_id: int, progress: Progress) -> bool:
        """Write a batch of counts, items, failures and events; return whether to cancel the run.

        Counts are added in one atomic statement, so that concurrent writers lose nothing. Every
        batch renews the lease.

        Raises:
            ValueError: a count is unknown or not a non-negative integer.
            RunNoLongerActive: the run has ended; nothing of the batch was written.
        """
        # A single statement holds the lock on the row, for which other writers wait, the shortest.
        with contextlib.nullcontext() if progress.is_one_statement else transaction.atomic():
            cancel_requested = write_progress(run_id, progress)
            if cancel_requested is None:
                raise RunNoLongerActive(run_id)
            if progress.failures:
                self._add_failures(run_id, progress.failures)
            write_items(run_id, progress.items)
            append_events((run_id, event) for event in progress.events)
            return cancel_requested

    def update_run(
        self,
        run_id: int,
        *,
        phase: str = "",
        meta: Mapping[str, str | int | bool | None] | None = None,
    ) -> None:
        """Set the phase of a running run and short facts for its page.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        facts = dict(meta or {})
        if phase:
            facts["phase"] = phase
        self.record_progress(run_id, Progress(meta=facts))

    def increment_summary_counts(self, run_id: int, **increments: int) -> None:
        """Add to the counts of a running run.

        Raises:
            ValueError: a count is unknown or not a non-negative integer.
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
        """Write the outcome of items; a later report replaces an earlier one. Counts do not change.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(items=list(items)))

    def add_event(self, run_id: int, event: Event) -> None:
        """Add an event to the timeline of a running run.

        Raises:
            RunNoLongerActive: the run has ended.
        """
        self.record_progress(run_id, Progress(events=[event]))

    def record_late_write(self, run_id: int, worker: str) -> None:
        """Record on the timeline that a worker wrote to the run after it had ended."""
        message = f"{worker} reported after the run had ended. The report was refused."
        late = Event("late_write_refused", message, EventLevel.WARNING, actor=worker)
        append_events([(run_id, late)])

    @retry_on_serialization_failure
    def complete(
        self,
        run_id: int,
        *,
        ending: Ending = Ending.FINISHED,
        error: SafeError | None = None,
        claimed: OperationRun | None = None,
    ) -> OperationRun:
        """Complete a running run exactly once; its outcome follows from its counts and the ending.

        `error` is the cause if the handler did not finish. Items that were expected but not
        attempted are recorded as a failure. `claimed` is the run as `claim` returned it: if nothing
        has changed since, it is not read again, and this is the run that is returned.

        Raises:
            RunNoLongerActive: the run has already ended.
        """
        running = _Running.as_claimed(claimed) if claimed else self._running(run_id)
        while True:
            with transaction.atomic() if running.has_problems else contextlib.nullcontext():
                ended = self._complete(run_id, running, ending, error)
                if ended and running.has_problems:
                    resolve_problems(run_id, RunOutcome(ended.outcome))
            if ended:
                return ended
            # Not locked: another writer has changed the run in the meantime.
            running = self._running(run_id)

    def end_lost_run(self, run: OperationRun, *, error: SafeError) -> OperationRun:
        """End an active run that is lost, with the error as its failure.

        The run fails. It is cancelled instead if cancellation was requested and its worker is
        lost. The caller has locked the row and checked that the run is lost.

        Raises:
            RunNoLongerActive: the run has already ended.
        """
        for ended in self.end_lost_runs([(run, error)]):
            return ended
        raise RunNoLongerActive(run.pk)

    @transaction.atomic
    def end_lost_runs(self, losses: Sequence[tuple[OperationRun, SafeError]]) -> list[OperationRun]:
        """Like `end_lost_run` for a batch, in a bounded number of statements.

        Returns:
            The runs that this call ended, without those that had already ended.
        """
        now = database_now()
        closings = {run.pk: _lost_closing(run, error, now) for run, error in losses}
        ended_ids = self._close_many(list(closings.values()))
        append_events(
            (run.pk, _ended_event(closings[run.pk].outcome, run.counts))
            for run, _ in losses
            if run.pk in ended_ids
        )
        return list(OperationRun.objects.with_scope().filter(pk__in=ended_ids).order_by("pk"))

    # --- user -------------------------------------------------------------------------------------

    def request_cancel(self, run: OperationRun, *, by: User, reason: str = "") -> OperationRun:
        """Request the cancellation of a run.

        A queued run ends at once. A running run stops between two items and keeps its partial
        counts. Its child runs are cancelled too. A second request has no further effect.

        Raises:
            RunNoLongerActive: the run has already ended.
        """
        return self.request_cancel_once(run, by=by, reason=reason)[0]

    @retry_on_serialization_failure
    @transaction.atomic
    def request_cancel_once(
        self, run: OperationRun, *, by: User, reason: str = ""
    ) -> tuple[OperationRun, bool]:
        """Like `request_cancel`; return also whether this call is the first to request it."""
        suffix = f" Reason: {reason}" if reason else ""
        data = {"reason": reason} if reason else {}
        status = self._mark_cancel_requested(run.pk, by)
        if status == RunStatus.QUEUED:
            self._close(run.pk, RunStatus.QUEUED, RunOutcome.CANCELLED)
            message = f"Cancelled by {by.username} before it started.{suffix}"
            append_events([(run.pk, Event("cancelled", message, actor=by.username, data=data))])
        elif status == RunStatus.RUNNING:
            message = f"Cancellation requested by {by.username}.{suffix}"
            event = Event("cancel_requested", message, actor=by.username, data=data)
            append_events([(run.pk, event)])
        current = self._load(run.pk)
        if status is None and not current.is_active:
            raise RunNoLongerActive(run.pk)
        for child in current.child_runs().active().order_by("pk"):
            with contextlib.suppress(RunNoLongerActive):
                self.request_cancel(child, by=by, reason=reason or f"Run {run.pk} was cancelled.")
        return current, status is not None

    def retry(
        self,
        run: OperationRun,
        *,
        by: User | None = None,
        initiator_name: str = "",
        submission: uuid.UUID | None = None,
    ) -> DispatchResult:
        """Start a new run for what an ended run did not complete, or return the active run.

        Raises:
            NotRetryable: the run is active or has succeeded, or its type is never retried.
        """
        request = _retry_request(run, by, initiator_name, submission)
        return self.dispatch_many([request])[0]

    def retry_many(
        self,
        runs: Sequence[OperationRun],
        *,
        by: User | None = None,
        initiator_name: str = "",
        submission: uuid.UUID | None = None,
    ) -> list[DispatchResult | NotRetryable]:
        """Like `retry` for a batch, in a bounded number of statements; results in the same order."""
        requests: dict[int, RunRequest] = {}
        results: dict[int, DispatchResult | NotRetryable] = {}
        for at, run in enumerate(runs):
            try:
                requests[at] = _retry_request(run, by, initiator_name, submission)
            except NotRetryable as error:
                results[at] = error
        if requests:
            dispatched = self.dispatch_many(list(requests.values()))
            results |= dict(zip(requests, dispatched, strict=True))
        return [results[at] for at in range(len(runs))]

    def run_again(
        self, run: OperationRun, *, by: User, submission: uuid.UUID | None = None
    ) -> DispatchResult:
        """Start a new run with the inputs of a succeeded run, or return the active run.

        Raises:
            NotRetryable: the run has not succeeded, or its type is never retried.
        """
        entry = _check_repeatable(run)
        if run.outcome != RunOutcome.SUCCEEDED:
            raise NotRetryable("not succeeded", "The run has not succeeded. Retry it instead.")
        context = {
            key: value
            for key, value in run.context.items()
            if not (key in KNOWN_KEYS and KNOWN_KEYS[key].of_one_run)
        }
        run_type = entry.repeat_as or OperationRunType(run.type)
        request = _new_request(run, run_type, context, by=by, submission=submission)
        return self.dispatch_many([request])[0]

    def acknowledge(
        self, run: OperationRun, *, by: User, note: str = "", assignee: User | None = None
    ) -> OperationRun:
        """Remove a run from “Needs attention”; a second call has no effect.

        The assignee is a member of the run's workspace.
        """
        self.acknowledge_many([run], by=by, note=note, assignee=assignee)
        return self._load(run.pk)

    @retry_on_serialization_failure
    @transaction.atomic
    def acknowledge_many(
        self,
        runs: Sequence[OperationRun],
        *,
        by: User,
        note: str = "",
        assignee: User | None = None,
    ) -> set[int]:
        """Like `acknowledge` for a batch; return the ids of the runs that this call acknowledged."""
        note = sanitize_text(note, max_length=MAX_NOTE)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET acknowledged_at = clock_timestamp(),"
                " acknowledged_by_id = %s, acknowledgment_note = %s, assigned_to_id = %s,"
                " updated_at = clock_timestamp() WHERE id = ANY (ARRAY("
                "  SELECT id FROM operation_runs WHERE id = ANY (%s) ORDER BY id FOR NO KEY UPDATE))"
                " AND acknowledged_at IS NULL AND recovered_at IS NULL"
                " AND outcome IN ('failed', 'partially_succeeded', 'blocked') RETURNING id",
                [by.pk, note, assignee.pk if assignee else None, [run.pk for run in runs]],
            )
            changed = {run_id for (run_id,) in cursor.fetchall()}
        text = f"Acknowledged by {by.username}"
        if assignee:
            text += f" and assigned to {assignee.username}"
        event = Event("acknowledged", f"{text}: {note}" if note else f"{text}.", actor=by.username)
        append_events((run_id, event) for run_id in sorted(changed))
        return changed

    # --- single statements ------------------------------------------------------------------------

    def _running(self, run_id: int) -> _Running:
        rows = run_prepared(_RUNNING, [run_id])
        if not rows:
            raise RunNoLongerActive(run_id)
        version, counts, failures, cancel_requested, has_problems = rows[0]
        return _Running(
            version,
            Counts.of(json.loads(counts)),
            json.loads(failures),
            cancel_requested,
            has_problems,
        )

    def _complete(
        self,
        run_id: int,
        running: _Running,
        ending: Ending,
        error: SafeError | None,
    ) -> OperationRun | None:
        """Complete a run, unless it or whether its identity has problems has changed."""
        counts, entries = running.counts, running.failures
        ending = _ending(ending, error, cancel_requested=running.cancel_requested)
        failures = [Failure(error)] if error else []
        if ending == Ending.FINISHED and counts.not_attempted:
            failures.append(Failure(SafeError("not_attempted"), count=counts.not_attempted))
        if failures:
            entries = merge_failures(entries, failures, database_now())
        outcome = derive_outcome(counts, ending)
        params = {
            "run_id": run_id,
            "version": running.version,
            "outcome": outcome,
            "failures": json.dumps(entries),
            "cause": cause_of(entries) if outcome in ATTENTION_OUTCOMES else "",
        }
        update = _COMPLETE if running.has_problems else _COMPLETE_WITHOUT_PROBLEMS
        ended = _ended_event(outcome, counts)
        return change_run(update, params, ended, claimed=running.claimed)

    def _close(
        self,
        run_id: int,
        status: RunStatus,
        outcome: RunOutcome,
        failures: Sequence[Failure] = (),
    ) -> bool:
        """Complete a run that has this status; return whether this call did it."""
        entries = merge_failures([], failures, database_now()) if failures else []
        return bool(self._close_many([_Closing(run_id, status, outcome, entries)]))

    def _close_many(self, closings: Sequence[_Closing]) -> set[int]:
        """Complete runs without a success; return the ids of those that this call completed.

        A problem stands for the earlier problems of its identity.
        """
        rows = run_prepared(_CLOSE, [json.dumps([closing.row() for closing in closings])])
        closed = {run_id for (run_id,) in rows}
        problems = [
            closing.run_id
            for closing in closings
            if closing.run_id in closed and closing.outcome in ATTENTION_OUTCOMES
        ]
        if problems:
            supersede_problems(problems)
        return closed

    def _add_failures(self, run_id: int, failures: Sequence[Failure]) -> None:
        """Merge failures into a run whose row this transaction has locked."""
        entries = OperationRun.objects.values_list("failure_summary", flat=True).get(pk=run_id)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE operation_runs SET failure_summary = %s::jsonb WHERE id = %s",
                [json.dumps(merge_failures(entries, failures, database_now())), run_id],
            )

    def _mark_cancel_requested(self, run_id: int, by: User) -> str | None:
        """Return the status of the run if this call is the first to request cancellation."""
        with connection.cursor() as cursor:
            cursor.execute(_REQUEST_CANCEL, [by.pk, run_id])
            row = cursor.fetchone()
        return row[0] if row else None

    def _load(self, run_id: int) -> OperationRun:
        return OperationRun.objects.with_scope().get(pk=run_id)


def _traces_of(runs: Iterable[OperationRun]) -> Iterator[tuple[str, Attributes]]:
    return ((run.trace_parent, describe_run(run)) for run in runs)


def _lost_closing(run: OperationRun, error: SafeError, now: dt.datetime) -> _Closing:
    is_cancelled = run.cancel_requested_at is not None
    ending = _ending(Ending.ERROR, error, cancel_requested=is_cancelled)
    failures = merge_failures(run.failure_summary, [Failure(error)], now)
    return _Closing(run.pk, RunStatus(run.status), derive_outcome(run.counts, ending), failures)


def _ending(ending: Ending, error: SafeError | None, *, cancel_requested: bool) -> Ending:
    """Return the ending; a run that lost its worker after a cancel request is cancelled."""
    is_lost = error is not None and error.code in LOST_WORKER
    return Ending.CANCELLED if is_lost and cancel_requested else ending


def check_retryable(run: OperationRun) -> CatalogEntry:
    """Return the catalog entry of a run that can be retried.

    Raises:
        NotRetryable: the run is active or has succeeded, or its type is never retried.
    """
    entry = _check_repeatable(run)
    if run.outcome == RunOutcome.SUCCEEDED:
        raise NotRetryable("already succeeded", "The run has succeeded. There is nothing to retry.")
    if run.recovered_at:
        raise NotRetryable(
            "already recovered",
            f"The later run #{run.recovered_by_id} has succeeded. There is nothing to retry.",
        )
    return entry


def _check_repeatable(run: OperationRun) -> CatalogEntry:
    entry = run.catalog
    if entry is None or entry.retry is Retry.NEVER:
        raise NotRetryable(
            "of an operation that is never retried",
            "Operations of this type are never retried. Start a new one.",
        )
    if run.tenant is not None and run.tenant.is_archived:
        raise NotRetryable("of an archived tenant", f"The tenant {run.tenant.name} is archived.")
    if run.is_active:
        raise NotRetryable(
            "still active", "The run is still active. Wait until it ends, or cancel it."
        )
    return entry


def _retry_request(
    run: OperationRun, by: User | None, initiator_name: str, submission: uuid.UUID | None
) -> RunRequest:
    entry = check_retryable(run)
    return _new_request(
        run,
        entry.retry_as or OperationRunType(run.type),
        run.context,
        by=by,
        initiator_name=initiator_name,
        submission=submission,
    )


def _new_request(
    run: OperationRun, run_type: OperationRunType, context: Mapping[str, Any], **request: Any
) -> RunRequest:
    """Return the request of a run that follows another one, with its inputs."""
    values = dict(context)
    return RunRequest(
        type=run_type,
        workspace=run.workspace,
        tenant=run.tenant,
        inputs=values.pop("idempotency", {}),
        context=values,
        retry_of=run,
        **request,
    )


_ENDED_LEVELS = {
    RunOutcome.SUCCEEDED: EventLevel.INFO,
    RunOutcome.CANCELLED: EventLevel.INFO,
    RunOutcome.FAILED: EventLevel.ERROR,
}


def _ended_event(outcome: RunOutcome, counts: Counts) -> Event:
    level = _ENDED_LEVELS.get(outcome, EventLevel.WARNING)
    data = {"succeeded": counts.succeeded, "failed": counts.failed, "skipped": counts.skipped}
    return Event("ended", f"Ended: {outcome.label.lower()}.", level, data=data)


def _blocked_row(request: RunRequest, reason: SafeError, now: dt.datetime) -> dict[str, Any]:
    failures = merge_failures([], [Failure(reason)], now)
    return request.row() | {"failure_summary": failures, "cause": cause_of(failures)}
