"""The runs to which a run is related: its retries, and the previous run of its identity.

The comparison with the previous run says what has changed: counts, duration, causes and objects.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from operations.catalog import OperationCatalog, Queue
from operations.causes import cause_of, describe_cause
from operations.counts import Counts
from operations.models import OperationRun
from operations.rows import from_row
from tenancy.db import run_prepared
from web.durations import duration_text, precise_duration_text

MAX_RETRIES = 20
#: The earlier runs of each type among which the previous one of the identity is looked for.
MAX_EARLIER = 100

#: What the page shows of a related run, in the order of the model.
_COLUMNS = (
    "id", "type", "status", "outcome", "summary_counts", "failure_summary", "created_at",
    "started_at", "completed_at", "heartbeat_at", "cancel_requested_at",
)  # fmt: skip
# Each type has its own range of an index, in which the newest earlier runs are read.
_RELATED = """
(SELECT 'retry', {columns} FROM operation_runs run
 WHERE run.retry_of_id = %(run)s ORDER BY run.id LIMIT %(retries)s)
UNION ALL
(SELECT 'previous', {columns} FROM unnest(%(types)s::text[]) AS alike (type)
 CROSS JOIN LATERAL (
     SELECT id FROM operation_runs WHERE {scope} AND type = alike.type
       AND created_at < %(created_at)s
     ORDER BY created_at DESC, id DESC LIMIT %(earlier)s) earlier
 JOIN operation_runs run ON run.id = earlier.id
 WHERE run.run_identity_hash = %(identity)s AND run.status = 'completed'
   AND run.started_at IS NOT NULL
 ORDER BY run.created_at DESC, run.id DESC LIMIT 1)
"""


@dataclass(frozen=True)
class Row:
    """One number of both runs; `change` is empty if they are equal."""

    label: str
    value: str
    before: str
    change: str = ""
    #: Whether the change is for the better, as an outcome that selects its color; empty if neither.
    outcome: str = ""


@dataclass(frozen=True)
class Comparison:
    """What has changed since the previous run of the identity."""

    previous: OperationRun
    rows: Sequence[Row]
    new_causes: Sequence[str]
    vanished_causes: Sequence[str]


def load_related(run: OperationRun) -> tuple[list[OperationRun], OperationRun | None]:
    """Load the retries of an ended run and the previous run of its identity, with one query."""
    scope = "tenant_id = %(tenant)s"
    if run.tenant_id is None:
        scope = "workspace_id = %(workspace)s AND tenant_id IS NULL"
    values = {
        "run": run.pk,
        "tenant": run.tenant_id,
        "workspace": run.workspace_id,
        "types": OperationCatalog.types_alike(run.type),
        "identity": run.run_identity_hash,
        "created_at": run.created_at,
        "retries": MAX_RETRIES,
        "earlier": MAX_EARLIER,
    }
    columns = ", ".join(f"run.{name}" for name in _COLUMNS)
    rows = run_prepared(_RELATED.format(scope=scope, columns=columns), values)
    runs = [(relation, from_row(OperationRun, row, only=_COLUMNS)) for relation, *row in rows]
    retries = [each for relation, each in runs if relation == "retry"]
    return retries, next((each for relation, each in runs if relation == "previous"), None)


def compare(run: OperationRun, previous: OperationRun) -> Comparison:
    """Compare an ended run with the previous one of its identity."""
    now, before = _causes(run), _causes(previous)
    is_sync = run.catalog is not None and run.catalog.queue is Queue.SYNC
    changed = "Inventory" if is_sync else "Changed objects"
    rows = [_duration_row(run, previous), *_count_rows(run.counts, previous.counts, changed)]
    return Comparison(
        previous,
        [row for row in rows if row],
        [describe_cause(cause) for cause in now if cause not in before],
        [describe_cause(cause) for cause in before if cause not in now],
    )


def _causes(run: OperationRun) -> list[str]:
    return list(dict.fromkeys(cause_of([failure]) for failure in run.failures))


def _duration_row(run: OperationRun, previous: OperationRun) -> Row | None:
    if run.duration is None or previous.duration is None:
        return None
    value, before = (precise_duration_text(each) for each in (run.duration, previous.duration))
    difference = run.duration - previous.duration
    change = ""
    if abs(difference) >= dt.timedelta(seconds=1):
        word = "longer" if difference > dt.timedelta() else "shorter"
        change = f"{duration_text(abs(difference))} {word}"
    return Row("Duration", value, before, change)


def _count_rows(counts: Counts, before: Counts, changed: str) -> list[Row]:
    """The counts that are not 0 in both runs, and the changed objects."""
    rows = [
        _count_row("Succeeded", counts.succeeded, before.succeeded, more="succeeded"),
        _count_row("Failed", counts.failed, before.failed, more="failed"),
        _count_row("Skipped", counts.skipped, before.skipped),
        _count_row("Not attempted", counts.not_attempted, before.not_attempted, more="failed"),
    ]
    if _has_changes(counts) or _has_changes(before):
        rows.append(Row(changed, _changes_text(counts), _changes_text(before)))
    return [row for row in rows if (row.value, row.before) != ("0", "0")]


def _count_row(label: str, value: int, before: int, *, more: str = "") -> Row:
    difference = value - before
    if not difference:
        return Row(label, f"{value:,}", f"{before:,}")
    less = {"succeeded": "failed", "failed": "succeeded"}.get(more, "")
    sign = "+" if difference > 0 else "\N{MINUS SIGN}"
    change = f"{sign}{abs(difference):,}"
    return Row(label, f"{value:,}", f"{before:,}", change, more if difference > 0 else less)


def _has_changes(counts: Counts) -> bool:
    return bool(counts.created or counts.updated or counts.deleted)


def _changes_text(counts: Counts) -> str:
    """The created, updated and deleted objects: “+12 ~4”, a minus sign and “3”."""
    return f"+{counts.created:,} ~{counts.updated:,} \N{MINUS SIGN}{counts.deleted:,}"
