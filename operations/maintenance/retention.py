"""Retention: removes the details of old runs first, and the rows later.

`find_removable` finds the runs page by page, and `remove_runs` has functions of the database delete
them (`migrations/sql/pruning.sql`), which check each run again. Nothing else can delete a run.
Retention never removes active runs, the runs that they retry, and the newest runs of each tenant
and type.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from operations.states import ATTENTION_OUTCOMES

BATCH = 200
#: The maximum number of events, items or tombstones that one statement deletes.
MAX_DELETED_ROWS = 5_000


class Step(StrEnum):
    """What retention removes of a run."""

    ROW = "row"
    DETAILS = "details"


class Limits(NamedTuple):
    """How long after its end a run keeps its details and its row."""

    details: dt.timedelta
    row: dt.timedelta


@dataclass(frozen=True, kw_only=True)
class RetentionPolicy:
    """The retention limits; `default` applies to succeeded and cancelled runs."""

    default: Limits
    problem: Limits
    keep_last: int
    tombstones: dt.timedelta

    @classmethod
    def configured(cls) -> RetentionPolicy:
        """Return the policy of the settings."""
        return cls(
            default=_limits(settings.RUN_KEEP_DETAILS_DAYS, settings.RUN_KEEP_DAYS),
            problem=_limits(settings.RUN_KEEP_PROBLEM_DETAILS_DAYS, settings.RUN_KEEP_PROBLEM_DAYS),
            keep_last=settings.RUN_KEEP_LAST,
            tombstones=dt.timedelta(days=settings.RUN_TOMBSTONE_DAYS),
        )

    def limits_of(self, outcome: str) -> Limits:
        """Return the limits of a run with this outcome."""
        return self.problem if outcome in ATTENTION_OUTCOMES else self.default

    def shortest(self, step: Step) -> dt.timedelta:
        """Return the age below which the step never removes anything."""
        if step is Step.ROW:
            return min(self.default.row, self.problem.row)
        return min(self.default.details, self.problem.details)


class Candidate(NamedTuple):
    """The columns of an ended run that retention needs."""

    id: int
    created_at: dt.datetime
    tenant_id: int | None
    type: str
    outcome: str
    completed_at: dt.datetime
    is_settled: bool
    details_removed: bool

    @property
    def group(self) -> tuple[int | None, str]:
        """The tenant and type; workspace runs have no tenant."""
        return self.tenant_id, self.type


class Protected(NamedTuple):
    """The runs of a group that retention keeps: all from `since` on, and the last success.

    `since` is the (created_at, id) of a run. It is None if the group keeps all its runs.
    """

    since: tuple[dt.datetime, int] | None
    last_success: int | None


def step_for(
    run: Candidate, protected: Protected, policy: RetentionPolicy, now: dt.datetime
) -> Step | None:
    """Return what retention removes of a run now, or None.

    A run that needs attention keeps its details as long as its row.
    """
    if protected.since is None or (run.created_at, run.id) >= protected.since:
        return None
    if run.id == protected.last_success:
        return None
    limits, age = policy.limits_of(run.outcome), now - run.completed_at
    if age >= limits.row:
        return Step.ROW
    needs_attention = run.outcome in ATTENTION_OUTCOMES and not run.is_settled
    if age >= limits.details and not needs_attention and not run.details_removed:
        return Step.DETAILS
    return None


# --- selection ----------------------------------------------------------------------------------------


def find_removable(
    workspace_id: int, policy: RetentionPolicy, now: dt.datetime
) -> Iterator[tuple[Step, list[Candidate]]]:
    """Yield the removable runs of a workspace in batches, oldest first; a batch may be empty."""
    groups = _ProtectedGroups(workspace_id, policy.keep_last)
    for step in Step:
        for page in _pages(workspace_id, step, now - policy.shortest(step)):
            protected = groups.load({run.group for run in page})
            retried = _find_actively_retried(workspace_id)
            yield (
                step,
                [
                    run
                    for run in page
                    if run.id not in retried
                    and step_for(run, protected[run.group], policy, now) is step
                ],
            )


_PAGE = """
SELECT id, created_at, tenant_id, type, outcome, completed_at,
       coalesce(acknowledged_at, recovered_at) IS NOT NULL OR superseded_by_id IS NOT NULL,
       details_removed_at IS NOT NULL
FROM operation_runs
WHERE workspace_id = %s AND status = 'completed' AND created_at < %s AND (created_at, id) > (%s, %s)
{condition} ORDER BY created_at, id LIMIT %s
"""
_PAGES = {
    Step.ROW: _PAGE.format(condition=""),
    Step.DETAILS: _PAGE.format(condition="AND details_removed_at IS NULL"),
}
_FIRST_POSITION = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), 0)


def _pages(workspace_id: int, step: Step, before: dt.datetime) -> Iterator[list[Candidate]]:
    position = _FIRST_POSITION
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_PAGES[step], [workspace_id, before, *position, BATCH])
            page = [Candidate(*row) for row in cursor.fetchall()]
        if page:
            yield page
        if len(page) < BATCH:
            return
        position = page[-1].created_at, page[-1].id


_PROTECTED = """
SELECT groups.tenant_id, groups.type, oldest.created_at, oldest.id, success.id
FROM unnest(%(tenants)s::bigint[], %(types)s::text[]) AS groups(tenant_id, type)
LEFT JOIN LATERAL (
    (SELECT created_at, id FROM operation_runs
     WHERE tenant_id = groups.tenant_id AND type = groups.type
     ORDER BY created_at DESC, id DESC OFFSET %(skip)s LIMIT 1)
    UNION ALL
    (SELECT created_at, id FROM operation_runs
     WHERE groups.tenant_id IS NULL AND tenant_id IS NULL
       AND workspace_id = %(workspace)s AND type = groups.type
     ORDER BY created_at DESC, id DESC OFFSET %(skip)s LIMIT 1)
) oldest ON true
LEFT JOIN LATERAL (
    (SELECT id FROM operation_runs
     WHERE tenant_id = groups.tenant_id AND type = groups.type AND outcome = 'succeeded'
     ORDER BY created_at DESC, id DESC LIMIT 1)
    UNION ALL
    (SELECT id FROM operation_runs
     WHERE groups.tenant_id IS NULL AND tenant_id IS NULL AND outcome = 'succeeded'
       AND workspace_id = %(workspace)s AND type = groups.type
     ORDER BY created_at DESC, id DESC LIMIT 1)
) success ON true
"""


class _ProtectedGroups:
    """The protected runs by group, loaded once: new runs only reduce which old runs are protected."""

    def __init__(self, workspace_id: int, keep_last: int) -> None:
        self._protected: dict[tuple[int | None, str], Protected] = {}
        self._workspace_id = workspace_id
        self._skip = keep_last - 1

    def load(
        self, groups: Iterable[tuple[int | None, str]]
    ) -> Mapping[tuple[int | None, str], Protected]:
        """Return the protected runs by group, for these groups at least."""
        missing = [group for group in groups if group not in self._protected]
        if not missing:
            return self._protected
        with connection.cursor() as cursor:
            cursor.execute(
                _PROTECTED,
                {
                    "tenants": [tenant_id for tenant_id, _ in missing],
                    "types": [run_type for _, run_type in missing],
                    "skip": self._skip,
                    "workspace": self._workspace_id,
                },
            )
            for tenant_id, run_type, at, run_id, success in cursor.fetchall():
                since = None if at is None else (at, run_id)
                self._protected[tenant_id, run_type] = Protected(since, success)
        return self._protected


_ACTIVELY_RETRIED = """
WITH RECURSIVE chain AS (
    SELECT retry_of_id AS id FROM operation_runs
    WHERE workspace_id = %s AND status IN ('queued', 'running') AND retry_of_id IS NOT NULL
    UNION
    SELECT run.retry_of_id FROM operation_runs run JOIN chain ON run.id = chain.id
    WHERE run.retry_of_id IS NOT NULL
)
SELECT id FROM chain
"""


def _find_actively_retried(workspace_id: int) -> set[int]:
    """Return the ids of the runs that an active run retries, directly or through other runs."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVELY_RETRIED, [workspace_id])
        return {run_id for (run_id,) in cursor.fetchall()}


# --- removal --------------------------------------------------------------------------------------------


def remove_runs(workspace_id: int, step: Step, runs: Sequence[Candidate]) -> int:
    """Remove a batch and return the number of runs. Locked or retried runs are skipped.

    A run is marked before its details are deleted. If its row stays, because a retry has started
    since, its page says that the details were removed. If a crash leaves details of a marked run,
    they are deleted with the row.
    """
    if not runs:
        return 0
    with transaction.atomic():
        run_ids = _mark_details_removed(_lock_removable(workspace_id, [run.id for run in runs]))
    _delete_details(run_ids)
    if step is Step.DETAILS:
        return len(run_ids)
    with transaction.atomic():
        return _replace_with_tombstones(_lock_removable(workspace_id, run_ids))


def _delete_details(run_ids: list[int]) -> None:
    """Delete the items and events of runs in batches, so that each transaction is short."""
    deleted = MAX_DELETED_ROWS
    while deleted == MAX_DELETED_ROWS:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT operation_runs_delete_details(%s, %s)", [run_ids, MAX_DELETED_ROWS]
            )
            (deleted,) = cursor.fetchone()


def _lock_removable(workspace_id: int, run_ids: list[int]) -> list[int]:
    """Lock the runs that are not locked and not retried; return their ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM operation_runs WHERE id = ANY(%s) AND status = 'completed'"
            " ORDER BY id FOR UPDATE SKIP LOCKED",
            [run_ids],
        )
        locked = {run_id for (run_id,) in cursor.fetchall()}
    return sorted(locked - _find_actively_retried(workspace_id))


def _mark_details_removed(run_ids: list[int]) -> list[int]:
    """Mark the details of these runs as removed; return the runs that the database accepted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT operation_runs_mark_details_removed(%s)", [run_ids])
        accepted: list[int] = cursor.fetchone()[0]
    return accepted


def _replace_with_tombstones(run_ids: list[int]) -> int:
    """Replace each run by a tombstone; references to the run become NULL."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT operation_runs_remove(%s)", [run_ids])
        return int(cursor.fetchone()[0])


def remove_old_tombstones(workspace_id: int, before: dt.datetime) -> int:
    """Remove the tombstones of runs that were removed before this time; return their number."""
    total, deleted = 0, MAX_DELETED_ROWS
    while deleted == MAX_DELETED_ROWS:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT operation_run_tombstones_delete(%s, %s, %s)",
                [workspace_id, before, MAX_DELETED_ROWS],
            )
            (deleted,) = cursor.fetchone()
        total += deleted
    return total


def remove_old_incidents(workspace_id: int, before: dt.datetime) -> int:
    """Remove the incidents without runs that were closed before this time; return their number."""
    total, deleted = 0, MAX_DELETED_ROWS
    while deleted == MAX_DELETED_ROWS:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT operation_incidents_remove(%s, %s, %s)",
                [workspace_id, before, MAX_DELETED_ROWS],
            )
            (deleted,) = cursor.fetchone()
        total += deleted
    return total


def _limits(details: int, row: int) -> Limits:
    return Limits(dt.timedelta(days=details), dt.timedelta(days=row))
