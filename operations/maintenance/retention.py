"""Letting go of old runs: their details first, their rows later; what people rely on stays.

`walk` finds what can be removed, page by page, and `remove` deletes it: the database guards allow
deletes only after `allow_pruning`. An active run is never touched, nor one that an active
retry descends from, nor the newest of each tenant and type.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from operations.models import OperationRun
from operations.states import ATTENTION_OUTCOMES

BATCH = 200
#: How many lines of timelines and items one statement deletes at most.
LINES = 5_000


class Step(StrEnum):
    """What retention takes of a run."""

    ROW = "row"
    DETAILS = "details"


class Limits(NamedTuple):
    """For how long after its end a run keeps its details and its row."""

    details: dt.timedelta
    row: dt.timedelta


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """What is kept, and for how long; `quiet` runs have succeeded or were cancelled."""

    quiet: Limits
    problem: Limits
    keep_last: int
    tombstones: dt.timedelta

    @classmethod
    def configured(cls) -> RetentionPolicy:
        """The policy of the settings."""
        return cls(
            quiet=_limits(settings.RUN_KEEP_DETAILS_DAYS, settings.RUN_KEEP_DAYS),
            problem=_limits(settings.RUN_KEEP_PROBLEM_DETAILS_DAYS, settings.RUN_KEEP_PROBLEM_DAYS),
            keep_last=settings.RUN_KEEP_LAST,
            tombstones=dt.timedelta(days=settings.RUN_TOMBSTONE_DAYS),
        )

    def limits_of(self, outcome: str) -> Limits:
        """The limits of a run that ended like this."""
        return self.problem if outcome in ATTENTION_OUTCOMES else self.quiet

    def shortest(self, step: Step) -> dt.timedelta:
        """Nothing younger than this loses what the step takes."""
        if step is Step.ROW:
            return min(self.quiet.row, self.problem.row)
        return min(self.quiet.details, self.problem.details)


class Candidate(NamedTuple):
    """An ended run, as far as retention needs to know it."""

    id: int
    created_at: dt.datetime
    tenant_id: int | None
    type: str
    outcome: str
    completed_at: dt.datetime
    is_acknowledged: bool
    details_removed: bool

    @property
    def group(self) -> tuple[int | None, str]:
        """Runs of one tenant and type; those of a workspace have no tenant."""
        return self.tenant_id, self.type


class Kept(NamedTuple):
    """What a group keeps: everything from a place on, and its last success."""

    since: tuple[dt.datetime, int] | None
    success: int | None


def step_for(run: Candidate, kept: Kept, policy: RetentionPolicy, now: dt.datetime) -> Step | None:
    """What retention takes of a run now; None if nothing.

    A run that still needs attention keeps its details for as long as its row.
    """
    if kept.since is None or (run.created_at, run.id) >= kept.since or run.id == kept.success:
        return None
    limits, age = policy.limits_of(run.outcome), now - run.completed_at
    if age >= limits.row:
        return Step.ROW
    waiting = run.outcome in ATTENTION_OUTCOMES and not run.is_acknowledged
    if age >= limits.details and not waiting and not run.details_removed:
        return Step.DETAILS
    return None


# --- what may go --------------------------------------------------------------------------------------


def find_removable(
    workspace_id: int, policy: RetentionPolicy, now: dt.datetime
) -> Iterator[tuple[Step, list[Candidate]]]:
    """What may go in a workspace, oldest first, at most a batch at a time; empty pages too."""
    keepers = _Keepers(workspace_id, policy.keep_last)
    for step in Step:
        for page in _pages(workspace_id, step, now - policy.shortest(step)):
            keepers.look_up({run.group for run in page})
            held = _held_by_active_retries(workspace_id)
            yield (
                step,
                [
                    run
                    for run in page
                    if run.id not in held
                    and step_for(run, keepers.of[run.group], policy, now) is step
                ],
            )


_PAGE = """
SELECT id, created_at, tenant_id, type, outcome, completed_at, acknowledged_at IS NOT NULL,
       details_removed_at IS NOT NULL
FROM operation_runs
WHERE workspace_id = %s AND status = 'completed' AND created_at < %s AND (created_at, id) > (%s, %s)
{also} ORDER BY created_at, id LIMIT %s
"""
_PAGES = {
    Step.ROW: _PAGE.format(also=""),
    Step.DETAILS: _PAGE.format(also="AND details_removed_at IS NULL"),
}
_BEGINNING = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0)


def _pages(workspace_id: int, step: Step, before: dt.datetime) -> Iterator[list[Candidate]]:
    place = _BEGINNING
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PAGES[step], [workspace_id, before, *place, BATCH])
            page = [Candidate(*row) for row in cursor.fetchall()]
        if page:
            yield page
        if len(page) < BATCH:
            return
        place = page[-1].created_at, page[-1].id


_KEPT = """
SELECT wanted.tenant_id, wanted.type, oldest.created_at, oldest.id, success.id
FROM unnest(%(tenants)s::bigint[], %(types)s::text[]) AS wanted(tenant_id, type)
LEFT JOIN LATERAL (
    (SELECT created_at, id FROM operation_runs
     WHERE tenant_id = wanted.tenant_id AND type = wanted.type
     ORDER BY created_at DESC, id DESC OFFSET %(skip)s LIMIT 1)
    UNION ALL
    (SELECT created_at, id FROM operation_runs
     WHERE wanted.tenant_id IS NULL AND tenant_id IS NULL
       AND workspace_id = %(workspace)s AND type = wanted.type
     ORDER BY created_at DESC, id DESC OFFSET %(skip)s LIMIT 1)
) oldest ON true
LEFT JOIN LATERAL (
    (SELECT id FROM operation_runs
     WHERE tenant_id = wanted.tenant_id AND type = wanted.type AND outcome = 'succeeded'
     ORDER BY created_at DESC, id DESC LIMIT 1)
    UNION ALL
    (SELECT id FROM operation_runs
     WHERE wanted.tenant_id IS NULL AND tenant_id IS NULL AND outcome = 'succeeded'
       AND workspace_id = %(workspace)s AND type = wanted.type
     ORDER BY created_at DESC, id DESC LIMIT 1)
) success ON true
"""


class _Keepers:
    """What each group keeps, looked up once: new runs only ever make a group keep less of the old."""

    def __init__(self, workspace_id: int, keep_last: int) -> None:
        self.of: dict[tuple[int | None, str], Kept] = {}
        self._workspace_id = workspace_id
        self._skip = keep_last - 1

    def look_up(self, groups: Iterable[tuple[int | None, str]]) -> None:
        """Make sure that `of` knows these groups."""
        missing = [group for group in groups if group not in self.of]
        if not missing:
            return
        with connection.cursor() as cursor:
            cursor.execute(
                _KEPT,
                {
                    "tenants": [tenant_id for tenant_id, _ in missing],
                    "types": [run_type for _, run_type in missing],
                    "skip": self._skip,
                    "workspace": self._workspace_id,
                },
            )
            for tenant_id, run_type, at, run_id, success in cursor.fetchall():
                since = None if at is None else (at, run_id)
                self.of[tenant_id, run_type] = Kept(since, success)


_HELD = """
WITH RECURSIVE chain AS (
    SELECT retry_of_id AS id FROM operation_runs
    WHERE workspace_id = %s AND status IN ('queued', 'running') AND retry_of_id IS NOT NULL
    UNION
    SELECT run.retry_of_id FROM operation_runs run JOIN chain ON run.id = chain.id
    WHERE run.retry_of_id IS NOT NULL
)
SELECT id FROM chain
"""


def _held_by_active_retries(workspace_id: int) -> set[int]:
    """The runs that an active run repeats, directly or through others."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [workspace_id])
        return {run_id for (run_id,) in cursor.fetchall()}


# --- letting go -----------------------------------------------------------------------------------------


def remove_runs(workspace_id: int, step: Step, runs: Sequence[Candidate]) -> int:
    """Let go of a batch; how many runs. Runs that somebody holds are left for the next time.

    A run is marked before its details go, so that one whose row stays after all, because somebody
    has just begun to repeat it, says where they are. Lines that a crash leaves behind a mark go
    with the row.
    """
    if not runs:
        return 0
    marked = _mark_what_is_free(workspace_id, [run.id for run in runs])
    for table in ("operation_run_items", "operation_run_events"):
        _delete_lines(table, marked)
    return _remove_what_is_free(workspace_id, marked) if step is Step.ROW else len(marked)


@transaction.atomic
def _mark_what_is_free(workspace_id: int, run_ids: list[int]) -> list[int]:
    """Say of these runs that their details are gone; those that nobody holds."""
    allow_pruning()
    free = _lock_what_is_free(workspace_id, run_ids)
    _mark_as_bare(free)
    return free


@transaction.atomic
def _remove_what_is_free(workspace_id: int, run_ids: list[int]) -> int:
    allow_pruning()
    return _remove_rows(_lock_what_is_free(workspace_id, run_ids))


def allow_pruning() -> None:
    """Allow the rest of this transaction to delete runs, events and items."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('runledger.pruning', 'on', true)")


def _delete_lines(table: str, run_ids: list[int]) -> None:
    """Delete the lines of runs, so many at a time that no transaction is long."""
    deleted = LINES
    while deleted == LINES:
        with transaction.atomic(), connection.cursor() as cursor:
            allow_pruning()
            cursor.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608 - a name of ours
                f"SELECT ctid FROM {table} WHERE run_id = ANY(%s) LIMIT %s))",
                [run_ids, LINES],
            )
            deleted = cursor.rowcount


def _lock_what_is_free(workspace_id: int, run_ids: list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM operation_runs WHERE id = ANY(%s) AND status = 'completed'"
            " ORDER BY id FOR UPDATE SKIP LOCKED",
            [run_ids],
        )
        locked = {run_id for (run_id,) in cursor.fetchall()}
    return sorted(locked - _held_by_active_retries(workspace_id))


def _mark_as_bare(run_ids: Collection[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operation_runs SET details_removed_at = clock_timestamp()"
            " WHERE id = ANY(%s) AND details_removed_at IS NULL",
            [list(run_ids)],
        )


def _remove_rows(run_ids: Collection[int]) -> int:
    """Put a tombstone in the place of each row; what referred to it refers to nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO operation_run_tombstones (id, workspace_id, tenant_id, type, outcome,"
            " counts, created_at, completed_at, pruned_at)"
            " SELECT id, workspace_id, tenant_id, type, outcome, summary_counts - 'meta',"
            " created_at, completed_at, clock_timestamp() FROM operation_runs WHERE id = ANY(%s)",
            [list(run_ids)],
        )
    # Django knows which apps refer to a run, and leaves each of them an empty reference.
    _, deleted = OperationRun.objects.filter(pk__in=run_ids).only("pk").delete()
    return deleted.get("operations.OperationRun", 0)


def remove_old_tombstones(workspace_id: int, before: dt.datetime) -> int:
    """Let go of tombstones that were put up before a time; how many."""
    total, deleted = 0, LINES
    while deleted == LINES:
        with transaction.atomic(), connection.cursor() as cursor:
            allow_pruning()
            cursor.execute(
                "DELETE FROM operation_run_tombstones WHERE id = ANY(ARRAY("
                "SELECT id FROM operation_run_tombstones"
                " WHERE workspace_id = %s AND pruned_at < %s LIMIT %s))",
                [workspace_id, before, LINES],
            )
            deleted = cursor.rowcount
        total += deleted
    return total


def _limits(details: int, row: int) -> Limits:
    return Limits(dt.timedelta(days=details), dt.timedelta(days=row))
