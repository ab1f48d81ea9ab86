"""The runs of the last 24 hours and of today, counted by hour for the charts of the overview.

Runs that have ended are counted by quarters of an hour (`RunCount`), so that the page costs the same
however many there are. Read in the same statement are what the next tick counts, the active runs,
and of the quarter in which the last 24 hours begin the runs themselves.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from tenancy.clock import request_now
from tenancy.db import run_prepared
from tenancy.http import Request
from tenancy.models import Workspace

HOURS = 24
#: Minutes.
QUARTER = 15
_READ: WeakKeyDictionary[Request, list[HourCount]] = WeakKeyDictionary()


@dataclass(frozen=True)
class HourCount:
    """The runs of one type and outcome that were requested in an hour, which starts at `hour`.

    `recent` is the number of those in the last 24 hours: of the first hour, a part.
    """

    hour: dt.datetime
    type: str
    outcome: str
    count: int
    recent: int


def runs_by_hour(request: Request, workspace: Workspace) -> list[HourCount]:
    """Return the counts of a page; its panels read them once."""
    if request not in _READ:
        _READ[request] = count_by_hour(workspace, request_now())
    return _READ[request]


_COUNTS = """
SELECT quarter - date_part('minute', quarter AT TIME ZONE %(zone)s) * interval '1 minute',
       type, outcome, sum(runs)::bigint, coalesce(sum(runs) FILTER (WHERE is_recent), 0)::bigint
FROM (
    SELECT quarter, type, outcome, runs, quarter > %(first)s AS is_recent
    FROM operation_run_counts
    WHERE workspace_id = %(workspace)s AND quarter >= %(since)s AND quarter <> %(first)s
    UNION ALL
    SELECT date_bin('15 minutes', created_at, %(first)s), type, outcome, 1,
           created_at >= %(yesterday)s
    FROM (
        SELECT run.* FROM operation_metric_increments increment CROSS JOIN LATERAL (
            -- A join could read all runs.
            SELECT workspace_id, created_at, type, outcome FROM operation_runs
            WHERE id = increment.run_id OFFSET 0) run
        WHERE increment.kind = 'run_ended'
        UNION ALL
        SELECT workspace_id, created_at, type, outcome FROM operation_runs
        WHERE workspace_id = %(workspace)s AND status IN ('queued', 'running')
    ) not_counted
    WHERE workspace_id = %(workspace)s AND created_at >= %(since)s
      AND NOT (created_at >= %(first)s AND created_at < %(second)s)
    UNION ALL
    SELECT %(first)s, type, outcome, 1, created_at >= %(yesterday)s
    FROM operation_runs
    WHERE workspace_id = %(workspace)s
      AND created_at >= greatest(%(since)s, %(first)s) AND created_at < %(second)s
) counted (quarter, type, outcome, runs, is_recent)
GROUP BY 1, 2, 3
"""


def count_by_hour(workspace: Workspace, now: dt.datetime) -> list[HourCount]:
    """Count the runs by the hours of the workspace's time zone."""
    yesterday = now - dt.timedelta(hours=HOURS)
    midnight, _ = day_of(now, zoneinfo.ZoneInfo(workspace.timezone))
    first = yesterday.replace(minute=yesterday.minute // QUARTER * QUARTER, second=0, microsecond=0)
    parameters = {
        "workspace": workspace.pk,
        "zone": workspace.timezone,
        "since": min(yesterday, midnight),
        "yesterday": yesterday,
        "first": first,
        "second": first + dt.timedelta(minutes=QUARTER),
    }
    return [HourCount(*row) for row in run_prepared(_COUNTS, parameters)]


def hour_of(now: dt.datetime, workspace: Workspace) -> dt.datetime:
    """Return the start of the hour in the time zone of the workspace, in UTC."""
    local = now.astimezone(zoneinfo.ZoneInfo(workspace.timezone))
    return local.replace(minute=0, second=0, microsecond=0).astimezone(dt.UTC)


def day_of(now: dt.datetime, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the start and the end of the local day, in UTC; it can have 23 or 25 hours."""
    today = now.astimezone(zone).date()
    starts = [
        dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
        for day in (today, today + dt.timedelta(days=1))
    ]
    return starts[0], starts[1]
