"""Which later run resolves a problem: a success of its identity, or a later problem.

A success recovers every problem of its identity that ended before the success started; a partial
success does not. Of several problems of an identity, the last one stands for the others in “Needs
attention”. The rows of one identity are locked in the order of their ids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from django.db import connection

from operations.catalog import OperationCatalog
from operations.events import Event, append_events
from operations.states import ATTENTION_OUTCOMES, RunOutcome

# The run of a blocked slot also stands for the slots that repeat it.
_ENDED = "greatest(run.completed_at, (run.context #>> '{repeated,last}')::timestamptz)"
#: Whether `run` has a problem that no later run has resolved.
UNRECOVERED = """
run.outcome IN ('failed', 'partially_succeeded', 'blocked') AND run.recovered_at IS NULL
"""

_RECOVER = f"""
WITH success AS (SELECT * FROM operation_runs WHERE id = %s AND outcome = 'succeeded'),
problem AS (
    SELECT run.id FROM operation_runs run JOIN success
        ON run.run_identity_hash = success.run_identity_hash
       AND run.workspace_id = success.workspace_id
    WHERE {UNRECOVERED} AND {_ENDED} <= success.started_at
    ORDER BY run.id FOR NO KEY UPDATE OF run)
UPDATE operation_runs run SET recovered_by_id = success.id, recovered_at = success.completed_at
FROM success, problem WHERE run.id = problem.id RETURNING run.id
"""  # noqa: S608 - assembled from constants  # nosec B608

_SUPERSEDE = f"""
WITH identity AS (
    SELECT DISTINCT workspace_id, run_identity_hash FROM operation_runs WHERE id = ANY (%s)),
problem AS (
    SELECT run.id, run.workspace_id, run.run_identity_hash, run.completed_at
    FROM operation_runs run JOIN identity USING (workspace_id, run_identity_hash)
    WHERE {UNRECOVERED} ORDER BY run.id FOR NO KEY UPDATE OF run),
last AS (
    SELECT DISTINCT ON (workspace_id, run_identity_hash) * FROM problem
    ORDER BY workspace_id, run_identity_hash, completed_at DESC, id DESC)
UPDATE operation_runs run SET superseded_by_id = last.id
FROM problem JOIN last USING (workspace_id, run_identity_hash)
WHERE run.id = problem.id AND run.id <> last.id AND run.superseded_by_id IS NULL
"""  # noqa: S608 - assembled from constants  # nosec B608

# The types that can share an identity are searched one by one, because each has its own range of
# the index. A run that was queued before the problem can have started after it.
_FIND_SUCCESSES = f"""
SELECT DISTINCT success.id FROM operation_runs run
CROSS JOIN LATERAL jsonb_array_elements_text(
    coalesce(%(alike)s::jsonb -> run.type, jsonb_build_array(run.type))) AS alike (type)
CROSS JOIN LATERAL (
    (SELECT later.id FROM operation_runs later
     WHERE later.tenant_id = run.tenant_id AND later.type = alike.type
       AND later.created_at > run.created_at - interval '1 day'
       AND later.run_identity_hash = run.run_identity_hash
       AND later.outcome = 'succeeded' AND later.started_at >= {_ENDED}
     ORDER BY later.created_at, later.id LIMIT 1)
    UNION ALL
    (SELECT later.id FROM operation_runs later
     WHERE run.tenant_id IS NULL AND later.tenant_id IS NULL
       AND later.workspace_id = run.workspace_id AND later.type = alike.type
       AND later.created_at > run.created_at - interval '1 day'
       AND later.run_identity_hash = run.run_identity_hash
       AND later.outcome = 'succeeded' AND later.started_at >= {_ENDED}
     ORDER BY later.created_at, later.id LIMIT 1)) success
WHERE run.id = ANY (%(run_ids)s) AND {UNRECOVERED} ORDER BY success.id
"""  # noqa: S608 - assembled from constants  # nosec B608


def resolve_problems(run_id: int, outcome: RunOutcome) -> None:
    """Resolve the earlier problems of the identity of a run that has just ended with this outcome."""
    if outcome == RunOutcome.SUCCEEDED:
        recover_problems(run_id)
    elif outcome in ATTENTION_OUTCOMES:
        supersede_problems([run_id])


def recover_problems(success_id: int) -> list[int]:
    """Mark the problems that a succeeded run resolves as recovered; return the ids of their runs."""
    with connection.cursor() as cursor:
        cursor.execute(_RECOVER, [success_id])
        recovered = [run_id for (run_id,) in cursor.fetchall()]
    event = Event("recovered", f"Recovered by run {success_id}.")
    append_events((run_id, event) for run_id in recovered)
    return recovered


def supersede_problems(run_ids: Sequence[int]) -> None:
    """Let the last problem of each identity of these runs stand for the earlier ones."""
    with connection.cursor() as cursor:
        cursor.execute(_SUPERSEDE, [list(run_ids)])


def settle_problems(run_ids: Sequence[int]) -> None:
    """Find the later runs that resolve the problems of these runs, for those that ended elsewhere.

    A run of an older version resolves nothing when it ends, and of two transactions that end runs
    of one identity, neither sees the other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIND_SUCCESSES, {"run_ids": list(run_ids), "alike": _types_alike()})
        successes = [run_id for (run_id,) in cursor.fetchall()]
    for success_id in successes:
        recover_problems(success_id)
    supersede_problems(run_ids)


def _types_alike() -> str:
    """Return, as JSON, the types that can share an identity with each type."""
    types = OperationCatalog.all()
    return json.dumps({each.value: OperationCatalog.types_alike(each) for each in types})
