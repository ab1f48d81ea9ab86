"""Past runs with their sets, events and items, stored with a bounded number of statements."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.urls import reverse

from operations.counts import Counts
from operations.failures import Failure, merge_failures
from operations.models import EventLevel
from operations.reasons import SafeError
from operations.states import Ending, ItemOutcome, RunOutcome, derive_outcome
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence

Json = dict[str, Any]
#: Without recent statistics, each round would read all items of the rounds before it.
ROUNDS_PER_ANALYZE = 6
WORKERS = tuple(f"worker-{host}:{process}" for host in (1, 2) for process in (17, 18, 19, 20))


@dataclass
class PastSet:
    """The backup set of a past run; `failed` has the objects that could not be read, by key."""

    tenant_id: int
    schedule_id: int
    kinds: list[str]
    unlisted: dict[str, SafeError] = field(default_factory=dict)
    failed: dict[str, SafeError] = field(default_factory=dict)
    listed_count: int = 0
    parent: PastSet | None = None
    id: int = 0

    @property
    def listed_kinds(self) -> list[str]:
        return [kind for kind in self.kinds if kind not in self.unlisted]

    @property
    def status(self) -> str:
        if not (self.unlisted or self.failed):
            return "complete"
        return "incomplete" if self.listed_count > len(self.failed) else "failed"


@dataclass
class PastItem:
    """An item of a past run that is not an object of its set; it can stand for a child run."""

    key: str
    label: str
    error: SafeError | None = None
    link: str = ""
    child: PastRun | None = None


@dataclass
class PastRun:
    """A run that has ended; `row` has its columns at dispatch (`RunRequest.row`)."""

    row: Json
    created_at: dt.datetime
    completed_at: dt.datetime
    started_at: dt.datetime | None = None
    ending: Ending = Ending.FINISHED
    counts: dict[str, int] = field(default_factory=dict)
    phase: str = ""
    failures: list[Failure] = field(default_factory=list)
    worker: str = ""
    items: list[PastItem] = field(default_factory=list)
    backup_set: PastSet | None = None
    retry_of: PastRun | None = None
    parent: PastRun | None = None
    id: int = 0

    @property
    def outcome(self) -> RunOutcome:
        return derive_outcome(Counts.of(self.counts), self.ending)

    @property
    def phases(self) -> list[str]:
        """The phases of a backup, in order: see `backups.reading`."""
        kinds = self.backup_set.kinds if self.backup_set else []
        return [f"Reading {in_sentence(KIND[kind].label_plural)}" for kind in kinds]

    def at(self, share: float) -> dt.datetime:
        """Return the time at which this share of the work was done."""
        started_at = self.started_at or self.completed_at
        return started_at + share * (self.completed_at - started_at)

    def columns(self) -> Json:
        """Return the columns of the run; the ids of all runs are known."""
        summary = dict(self.counts) | ({"meta": {"phase": self.phase}} if self.phase else {})
        context = self.row["context"]
        if self.parent:
            context = context | {"parent_run_id": self.parent.id}
        return {
            **self.row,
            "id": self.id,
            "context": context,
            "outcome": self.outcome,
            "summary_counts": summary,
            "failure_summary": merge_failures([], self.failures, self.completed_at),
            "retry_of_id": self.retry_of.id if self.retry_of else None,
            "created_at": self.created_at.isoformat(),
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "completed_at": self.completed_at.isoformat(),
            "worker": self.worker,
        }


def store_runs(workspace_slug: str, runs: Sequence[PastRun]) -> None:
    """Store the runs in the order of their requests, with their events, sets and items."""
    ordered = sorted(runs, key=lambda run: run.created_at)
    sets = [run.backup_set for run in ordered if run.backup_set]
    for run, run_id in zip(ordered, _new_ids("operation_runs", len(ordered)), strict=True):
        run.id = run_id
    for backup_set, set_id in zip(sets, _new_ids("backup_sets", len(sets)), strict=True):
        backup_set.id = set_id
    for number, batch in enumerate(_rounds(ordered)):
        _store_round(workspace_slug, batch)
        if number % ROUNDS_PER_ANALYZE == 0:
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE operation_runs, backup_sets, backup_items")
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "runs": [run.id for run in ordered],
            "levels": json.dumps(_LEVELS),
            "phases": json.dumps([row for run in ordered for row in _phase_rows(run)]),
        }
        cursor.execute(_EVENTS, values)


def _phase_rows(run: PastRun) -> list[Json]:
    phases = run.phases
    return [
        {
            "run_id": run.id,
            "sequence": 3 + number,
            "at": run.at((number + 0.1) / len(phases)).isoformat(),
            "message": message,
        }
        for number, message in enumerate(phases)
    ]


def _rounds(runs: Sequence[PastRun]) -> list[list[PastRun]]:
    """Divide the runs so that each round has at most one of an identity: it is active for a moment."""
    rounds: list[list[PastRun]] = []
    earlier: Counter[str] = Counter()
    for run in runs:
        identity = run.row["run_identity_hash"]
        if earlier[identity] == len(rounds):
            rounds.append([])
        rounds[earlier[identity]].append(run)
        earlier[identity] += 1
    return rounds


def _store_round(workspace_slug: str, runs: Sequence[PastRun]) -> None:
    columns = [run.columns() for run in runs]
    _insert(_RUNS, columns)
    _insert(_ITEMS, [row for run in runs for row in _item_rows(workspace_slug, run)])
    _store_sets(workspace_slug, runs)
    _insert(_END_RUNS, columns)


def _new_ids(table: str, count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
            [table, count],
        )
        return sorted(run_id for (run_id,) in cursor.fetchall())


def _insert(sql: str, rows: Sequence[Json]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, [json.dumps(rows)])


# A run that has started is running until its items are stored.
_RUNS = """
INSERT INTO operation_runs (
    id, workspace_id, tenant_id, user_id, initiator_name, type, status, outcome,
    run_identity_hash, failure_summary, context, created_at, updated_at, started_at, completed_at,
    heartbeat_at, published_at, publish_attempts, worker, retry_of_id)
SELECT id, workspace_id, tenant_id, user_id, initiator_name, type,
       CASE WHEN started_at IS NULL THEN 'completed' ELSE 'running' END,
       CASE WHEN started_at IS NULL THEN outcome ELSE 'pending' END,
       run_identity_hash, failure_summary, context, created_at, completed_at, started_at,
       CASE WHEN started_at IS NULL THEN completed_at END, started_at,
       CASE WHEN started_at IS NOT NULL THEN created_at + interval '40 milliseconds' END,
       (started_at IS NOT NULL)::int, worker, retry_of_id
FROM jsonb_to_recordset(%s::jsonb) AS run(
    id bigint, workspace_id bigint, tenant_id bigint, user_id bigint, initiator_name text,
    type text, outcome text, run_identity_hash text, summary_counts jsonb,
    failure_summary jsonb, context jsonb, created_at timestamptz, started_at timestamptz,
    completed_at timestamptz, worker text, retry_of_id bigint)
"""
_END_RUNS = """
UPDATE operation_runs SET status = 'completed', outcome = run.outcome,
       completed_at = run.completed_at, summary_counts = run.summary_counts
FROM jsonb_to_recordset(%s::jsonb) AS run(
    id bigint, outcome text, summary_counts jsonb, completed_at timestamptz)
WHERE operation_runs.id = run.id AND status = 'running'
"""

# What the service writes to the timeline of a run: see `operations.services`.
_EVENTS = """
WITH phase AS (
    SELECT * FROM jsonb_to_recordset(%(phases)s::jsonb) AS row(
        run_id bigint, sequence int, at timestamptz, message text)
)
INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)
SELECT run.id, 1, run.created_at, 'created', 'info',
       'Requested by ' || run.initiator_name || '.', '{}'::jsonb, run.initiator_name
FROM operation_runs run WHERE run.id = ANY(%(runs)s) AND run.started_at IS NOT NULL
UNION ALL
SELECT run.id, 2, run.started_at, 'started', 'info',
       'Started by ' || run.worker || '.', '{}', run.worker
FROM operation_runs run WHERE run.id = ANY(%(runs)s) AND run.started_at IS NOT NULL
UNION ALL
SELECT phase.run_id, phase.sequence, phase.at, 'phase', 'info', phase.message, '{}', run.worker
FROM phase JOIN operation_runs run ON run.id = phase.run_id
UNION ALL
SELECT run.id, 3 + COALESCE(phases.count, 0), run.completed_at, 'ended', %(levels)s::jsonb ->> run.outcome,
       'Ended: ' || replace(run.outcome, '_', ' ') || '.',
       jsonb_build_object('succeeded', COALESCE((run.summary_counts->>'succeeded')::int, 0),
                          'failed', COALESCE((run.summary_counts->>'failed')::int, 0),
                          'skipped', COALESCE((run.summary_counts->>'skipped')::int, 0)), ''
FROM operation_runs run
LEFT JOIN (SELECT run_id, count(*) FROM phase GROUP BY run_id) phases ON phases.run_id = run.id
WHERE run.id = ANY(%(runs)s) AND run.started_at IS NOT NULL
UNION ALL
SELECT run.id, 1, run.created_at, 'blocked', 'warning',
       run.failure_summary #>> '{0,message}', '{}', ''
FROM operation_runs run WHERE run.id = ANY(%(runs)s) AND run.started_at IS NULL
"""
_LEVELS = {
    RunOutcome.SUCCEEDED: EventLevel.INFO,
    RunOutcome.PARTIALLY_SUCCEEDED: EventLevel.WARNING,
    RunOutcome.BLOCKED: EventLevel.WARNING,
    RunOutcome.FAILED: EventLevel.ERROR,
}

_ITEMS = """
INSERT INTO operation_run_items
    (run_id, key, label, outcome, reason_code, message, request_id, link, at)
SELECT run_id, key, label, outcome, reason_code, message, '', link, at
FROM jsonb_to_recordset(%s::jsonb) AS item(
    run_id bigint, key text, label text, outcome text, reason_code text, message text, link text,
    at timestamptz)
"""


def _item_rows(workspace_slug: str, run: PastRun) -> list[Json]:
    items = list(run.items)
    if run.backup_set:
        link = reverse("backup_set_detail", args=[workspace_slug, run.backup_set.id])
        items += [
            PastItem(f"kind:{kind}", KIND[kind].label_plural, error, link)
            for kind, error in run.backup_set.unlisted.items()
        ]
    for item in items:
        if item.child:
            item.key = f"run:{item.child.id}"
            item.link = reverse("run_detail", args=[item.child.id])
    return [
        {
            "run_id": run.id,
            "key": item.key,
            "label": item.label,
            "outcome": ItemOutcome.FAILED if item.error else ItemOutcome.SUCCEEDED,
            "reason_code": item.error.code if item.error else "",
            "message": item.error.message if item.error else "",
            "link": item.link,
            "at": run.at(0.9).isoformat(),
        }
        for item in items
    ]


# --- backup sets ----------------------------------------------------------------------------------


def _store_sets(workspace_slug: str, runs: Sequence[PastRun]) -> None:
    with_set = [(run, run.backup_set) for run in runs if run.backup_set]
    failed = [
        {"set_id": each.id, "key": key, "code": error.code, "message": error.message}
        for _, each in with_set
        for key, error in each.failed.items()
    ]
    address = reverse("backup_item_detail", args=[workspace_slug, 1, 2])
    values = {
        "sets": json.dumps([_set_row(run, backup_set) for run, backup_set in with_set]),
        "failed": json.dumps(failed),
        "link": address.replace("/1/", "/%s/").replace("/2/", "/%s/"),
    }
    with connection.cursor() as cursor:
        for sql in (_SETS, _SET_ITEMS, _RUN_ITEMS, _FINISH_SETS):
            cursor.execute(sql, values)


def _set_row(run: PastRun, backup_set: PastSet) -> Json:
    return {
        "id": backup_set.id,
        "run_id": run.id,
        "schedule_id": backup_set.schedule_id,
        "parent_id": backup_set.parent.id if backup_set.parent else None,
        "kinds": backup_set.kinds,
        "listed_kinds": backup_set.listed_kinds,
        "unlisted": {kind: error.code for kind, error in backup_set.unlisted.items()},
        "status": backup_set.status,
        "completed_at": run.completed_at.isoformat(),
    }


_SETS = """
INSERT INTO backup_sets (
    id, workspace_id, tenant_id, schedule_id, operation_run_id, parent_id, purpose, name, status,
    kinds, listed_kinds, unlisted, started_at)
SELECT row.id, run.workspace_id, run.tenant_id, schedule_id, run_id, parent_id, 'schedule', '',
       'building', kinds, listed_kinds, unlisted, run.started_at
FROM jsonb_to_recordset(%(sets)s::jsonb) AS row(
    id bigint, run_id bigint, schedule_id bigint, parent_id bigint, kinds varchar[],
    listed_kinds varchar[], unlisted jsonb)
JOIN operation_runs run ON run.id = run_id
"""
_SET_ITEMS = """
INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, version_id,
                          complete, missing, reason_code, captured_at, last_modified_at)
SELECT backup_set.workspace_id, backup_set.tenant_id, backup_set.id, object.kind, object.graph_id,
       object.name, CASE WHEN failed.key IS NULL THEN object.version_id END, failed.key IS NULL,
       '[]', COALESCE(failed.code, ''),
       CASE WHEN failed.key IS NULL THEN backup_set.started_at
            + (row.completed_at - backup_set.started_at) * (object.position + 1) / 30.0 END,
       object.last_modified_at
FROM jsonb_to_recordset(%(sets)s::jsonb) AS row(id bigint, completed_at timestamptz)
JOIN backup_sets backup_set ON backup_set.id = row.id
JOIN fleet_objects object ON object.tenant_id = backup_set.tenant_id
    AND object.kind = ANY(backup_set.listed_kinds)
    AND object.valid_from <= backup_set.started_at AND backup_set.started_at < object.valid_until
LEFT JOIN jsonb_to_recordset(%(failed)s::jsonb) AS failed(set_id bigint, key text, code text)
    ON failed.set_id = backup_set.id AND failed.key = object.kind || '/' || object.graph_id
ORDER BY backup_set.id, object.position
"""
_RUN_ITEMS = """
INSERT INTO operation_run_items
    (run_id, key, label, outcome, reason_code, message, request_id, link, at)
SELECT run.id, item.kind || '/' || item.graph_id, item.name,
       CASE WHEN item.complete THEN 'succeeded' ELSE 'failed' END, item.reason_code,
       COALESCE(failed.message, ''), '', format(%(link)s, item.set_id, item.id),
       COALESCE(item.captured_at,
                backup_set.started_at + (row.completed_at - backup_set.started_at) * 0.8)
FROM jsonb_to_recordset(%(sets)s::jsonb) AS row(id bigint, completed_at timestamptz)
JOIN backup_sets backup_set ON backup_set.id = row.id
JOIN backup_items item ON item.set_id = backup_set.id
JOIN operation_runs run ON run.id = backup_set.operation_run_id
LEFT JOIN jsonb_to_recordset(%(failed)s::jsonb) AS failed(set_id bigint, key text, message text)
    ON failed.set_id = item.set_id AND failed.key = item.kind || '/' || item.graph_id
ORDER BY item.id
"""
_FINISH_SETS = """
UPDATE backup_sets SET status = row.status, item_count = counted.items,
       incomplete_count = counted.incomplete,
       ended_at = row.completed_at - interval '50 milliseconds'
FROM jsonb_to_recordset(%(sets)s::jsonb) AS row(
    id bigint, status text, completed_at timestamptz)
LEFT JOIN LATERAL (
    SELECT count(*) AS items, count(*) FILTER (WHERE NOT complete) AS incomplete
    FROM backup_items item WHERE item.set_id = row.id) counted ON true
WHERE backup_sets.id = row.id
"""
