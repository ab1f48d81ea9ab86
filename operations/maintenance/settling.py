"""Settles problems that did not get everything when they ended.

Runs of an older version end without a cause and resolve nothing. A blocked run and the end of
another run of its identity can be written at the same time, and neither transaction sees the other.
The tick reads a bounded number of runs; those of an older version are therefore settled over time.
"""

from __future__ import annotations

from django.db import connection, transaction

from operations.causes import cause_of
from operations.conflicts import retry_on_serialization_failure
from operations.healing import settle_problems
from operations.models import PROBLEM, OperationRun

BATCH = 500
#: At most so many runs of an older version are settled in one tick.
MAX_BATCHES = 10

_SET_CAUSES = """
UPDATE operation_runs run SET cause = new.cause
FROM unnest(%s::bigint[], %s::text[]) AS new (id, cause) WHERE run.id = new.id
"""
# A transaction that records blocked slots ends long before that. Unlike `clock_timestamp`, the time of
# the statement is the same for every row, so that the index finds the recent ones.
_JUST_BLOCKED = """
SELECT id FROM operation_runs
WHERE outcome = 'blocked' AND recovered_at IS NULL
  AND created_at > statement_timestamp() - interval '10 minutes'
"""


def settle() -> int:
    """Settle the runs that need it; return how many got their cause."""
    with connection.cursor() as cursor:
        cursor.execute(_JUST_BLOCKED)
        blocked = [run_id for (run_id,) in cursor.fetchall()]
    if blocked:
        _settle(blocked)
    total = 0
    for _ in range(MAX_BATCHES):
        settled = _settle_without_cause()
        total += settled
        if settled < BATCH:
            break
    return total


@retry_on_serialization_failure
@transaction.atomic
def _settle(run_ids: list[int]) -> None:
    settle_problems(run_ids)


@retry_on_serialization_failure
@transaction.atomic
def _settle_without_cause() -> int:
    """Write the causes of a batch of runs and find what resolves them; return their number."""
    runs = OperationRun.objects.filter(PROBLEM, cause="").order_by("pk")
    locked = runs.select_for_update(no_key=True, skip_locked=True)
    rows = list(locked.values_list("pk", "failure_summary")[:BATCH])
    if not rows:
        return 0
    run_ids = [run_id for run_id, _ in rows]
    causes = [cause_of(failures) for _, failures in rows]
    with connection.cursor() as cursor:
        cursor.execute(_SET_CAUSES, [run_ids, causes])
    settle_problems(run_ids)
    return len(rows)
