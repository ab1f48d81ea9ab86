"""What the ledger would have concluded from the past runs: causes, recoveries and incidents."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection

from operations.causes import cause_of
from operations.maintenance.incidents import update_incidents
from operations.models import PROBLEM, OperationRun
from tenancy.models import Workspace

_CAUSES = """
UPDATE operation_runs run SET cause = new.cause
FROM unnest(%s::bigint[], %s::text[]) AS new (id, cause) WHERE run.id = new.id
"""
_RECOVERIES = """
UPDATE operation_runs run SET recovered_by_id = success.id, recovered_at = success.completed_at
FROM (
    SELECT DISTINCT ON (problem.id) problem.id AS problem_id, later.id, later.completed_at
    FROM operation_runs problem JOIN operation_runs later
        ON later.run_identity_hash = problem.run_identity_hash
       AND later.workspace_id = problem.workspace_id AND later.outcome = 'succeeded'
       AND later.started_at >= greatest(
           problem.completed_at, (problem.context #>> '{repeated,last}')::timestamptz)
    WHERE problem.workspace_id = %(workspace)s AND problem.cause <> ''
    ORDER BY problem.id, later.started_at) success
WHERE run.id = success.problem_id
"""
_RECOVERY_EVENTS = """
INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)
SELECT run.id, 1 + max(event.sequence), run.recovered_at, 'recovered', 'info',
       'Recovered by run ' || run.recovered_by_id || '.', '{}'::jsonb, ''
FROM operation_runs run JOIN operation_run_events event ON event.run_id = run.id
WHERE run.workspace_id = %(workspace)s AND run.recovered_at IS NOT NULL GROUP BY run.id
"""
# A problem stands for the earlier ones that have not recovered by then.
_LAST_PROBLEMS = """
UPDATE operation_runs run SET superseded_by_id = series.next_id
FROM (
    SELECT id, recovered_at, lead(id) OVER identity AS next_id,
           lead(completed_at) OVER identity AS next_at
    FROM operation_runs WHERE workspace_id = %(workspace)s AND cause <> ''
    WINDOW identity AS (PARTITION BY run_identity_hash ORDER BY completed_at, id)) series
WHERE run.id = series.id
  AND series.next_at < coalesce(series.recovered_at, 'infinity')
"""
_INCIDENTS = """
INSERT INTO operation_incidents (workspace_id, cause, number, since, created_at, first_run_at,
    last_run_at, counted_at)
SELECT workspace_id, cause, 1, min(completed_at), min(completed_at), min(completed_at),
       max(completed_at), min(completed_at)
FROM operation_runs
WHERE workspace_id = %(workspace)s AND cause <> '' AND started_at BETWEEN %(since)s AND %(until)s
GROUP BY workspace_id, cause HAVING count(DISTINCT tenant_id) > 2
"""
_INCIDENT_RUNS = """
UPDATE operation_runs run SET incident_id = incident.id FROM operation_incidents incident
WHERE run.workspace_id = %(workspace)s AND incident.workspace_id = run.workspace_id
  AND incident.cause = run.cause AND run.started_at BETWEEN %(since)s AND %(until)s
"""
_INCIDENT_ENDS = """
UPDATE operation_incidents incident SET runs = ended.runs, recovered_runs = ended.runs,
    settled_runs = ended.runs, tenants = ended.tenants, recovered_tenants = ended.tenants,
    closed_at = ended.at, counted_at = ended.at, close_reason = 'recovered'
FROM (
    SELECT incident_id, count(*) AS runs, count(DISTINCT tenant_id) AS tenants,
           max(recovered_at) AS at
    FROM operation_runs WHERE workspace_id = %(workspace)s AND incident_id IS NOT NULL
    GROUP BY incident_id HAVING bool_and(recovered_at IS NOT NULL)) ended
WHERE incident.id = ended.incident_id
"""


def conclude_past(workspace: Workspace, outage: tuple[dt.datetime, dt.datetime]) -> None:
    """Write the causes and recoveries of the past runs, and their incidents.

    The ledger would have opened that of the outage in its night, and closed it when the last tenant
    had recovered. It opens the others now.
    """
    problems = OperationRun.objects.filter(PROBLEM, workspace=workspace, cause="")
    rows = list(problems.values_list("pk", "failure_summary"))
    values: dict[str, Any] = {"workspace": workspace.pk, "since": outage[0], "until": outage[1]}
    with connection.cursor() as cursor:
        causes = [cause_of(failures) for _, failures in rows]
        cursor.execute(_CAUSES, [[run_id for run_id, _ in rows], causes])
        for statement in (_RECOVERIES, _RECOVERY_EVENTS, _LAST_PROBLEMS):
            cursor.execute(statement, values)
        cursor.execute(_INCIDENTS, values)
        cursor.execute(_INCIDENT_RUNS, values)
        cursor.execute(_INCIDENT_ENDS, values)
    update_incidents()
