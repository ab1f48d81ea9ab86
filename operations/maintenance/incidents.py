"""Opens, extends, counts and closes incidents: one for each cause that hits several tenants.

A tick does it, not the transactions that end runs: five hundred runs that fail in a minute would
all wait for one row. Each step is one statement over the runs without an incident or the open
incidents; none reads the other runs. Only one tick at a time does it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from operations.conflicts import retry_on_serialization_failure

#: At most so many runs join incidents in one tick.
MAX_JOINS = 5_000
#: An incident with many runs is counted less often: at most so many runs per second. One with fewer
#: is counted in each tick.
COUNTED_PER_SECOND = 200
_LOCK = 0x52_4C_49_4E_43

# The problems that can be part of an incident: recent, not recovered, and without one so far.
_LOOSE = """
run.outcome IN ('failed', 'partially_succeeded', 'blocked') AND run.recovered_at IS NULL
AND run.incident_id IS NULL AND run.cause <> ''
AND run.created_at > statement_timestamp() - make_interval(days => %(days)s)
"""

_OPEN = f"""
INSERT INTO operation_incidents AS incident (workspace_id, cause, number, since, created_at,
    first_run_at, last_run_at, counted_at)
SELECT due.workspace_id, due.cause, coalesce(earlier.number, 0) + 1,
       coalesce(earlier.since, clock_timestamp()), clock_timestamp(), due.first, due.last,
       clock_timestamp()
FROM (
    SELECT run.workspace_id, run.cause, min(run.completed_at) AS first, max(run.completed_at) AS last
    FROM operation_runs run WHERE {_LOOSE} GROUP BY run.workspace_id, run.cause
    HAVING count(DISTINCT run.tenant_id) >= %(tenants)s OR count(*) >= %(runs)s) due
LEFT JOIN LATERAL (
    SELECT number, since FROM operation_incidents incident
    WHERE incident.workspace_id = due.workspace_id AND incident.cause = due.cause
    ORDER BY number DESC LIMIT 1) earlier ON true
ON CONFLICT DO NOTHING
"""  # noqa: S608 - assembled from constants  # nosec B608

# Locked rows are skipped: the next tick finds them.
_JOIN = f"""
WITH joining AS (
    SELECT run.id, incident.id AS incident_id FROM operation_incidents incident
    JOIN operation_runs run ON run.workspace_id = incident.workspace_id
                           AND run.cause = incident.cause
    WHERE incident.closed_at IS NULL AND {_LOOSE}
    ORDER BY run.id LIMIT %(most)s FOR NO KEY UPDATE OF run SKIP LOCKED),
joined AS (
    UPDATE operation_runs run SET incident_id = joining.incident_id
    FROM joining WHERE run.id = joining.id RETURNING run.incident_id)
SELECT incident_id, count(*) FROM joined GROUP BY incident_id
"""  # noqa: S608 - assembled from constants  # nosec B608

_COUNT = """
UPDATE operation_incidents incident SET
    runs = counts.runs, tenants = counts.tenants, recovered_runs = counts.recovered_runs,
    recovered_tenants = counts.recovered_tenants, settled_runs = counts.settled_runs,
    first_run_at = coalesce(counts.first, incident.first_run_at),
    last_run_at = coalesce(counts.last, incident.last_run_at), counted_at = clock_timestamp()
FROM operation_incidents due CROSS JOIN LATERAL (
    SELECT count(*) AS runs, count(DISTINCT run.tenant_id) AS tenants,
           count(run.recovered_at) AS recovered_runs,
           count(DISTINCT run.tenant_id)
               - count(DISTINCT run.tenant_id) FILTER (WHERE run.recovered_at IS NULL)
               AS recovered_tenants,
           count(coalesce(run.recovered_at, run.acknowledged_at)) AS settled_runs,
           min(run.completed_at) AS first, max(run.completed_at) AS last
    FROM operation_runs run WHERE run.incident_id = due.id) counts
WHERE incident.id = due.id AND due.closed_at IS NULL
  AND (due.id = ANY (%(joined)s)
       OR due.counted_at
           < clock_timestamp() - make_interval(secs => floor(due.runs / %(rate)s::float)))
"""

_CLOSE = """
UPDATE operation_incidents SET closed_at = clock_timestamp(),
    close_reason = CASE WHEN recovered_runs = runs THEN 'recovered' ELSE 'acknowledged' END
WHERE closed_at IS NULL AND (runs > 0 OR created_at < clock_timestamp() - interval '1 day')
  AND (recovered_runs = runs OR settled_runs = runs
       AND last_run_at < clock_timestamp() - make_interval(days => %(quiet)s))
"""


def update_incidents() -> Counter[str]:
    """Update every incident; return how many were opened and closed, and how many runs joined."""
    return _update()


@retry_on_serialization_failure
@transaction.atomic
def _update() -> Counter[str]:
    values: dict[str, Any] = {
        "days": settings.INCIDENT_WINDOW_DAYS,
        "tenants": settings.INCIDENT_TENANTS,
        "runs": settings.INCIDENT_RUNS,
        "quiet": settings.INCIDENT_QUIET_DAYS,
        "most": MAX_JOINS,
        "rate": COUNTED_PER_SECOND,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return Counter()
        cursor.execute(_OPEN, values)
        opened = cursor.rowcount
        cursor.execute(_JOIN, values)
        joined = dict(cursor.fetchall())
        cursor.execute(_COUNT, {**values, "joined": list(joined)})
        cursor.execute(_CLOSE, values)
        closed = cursor.rowcount
    return Counter(opened=opened, joined=sum(joined.values()), closed=closed)
