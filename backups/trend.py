"""The trend of scheduled backups by day: past days are counted once, today on every page."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Mapping

from django.db import connection

from backups.models import BackupDay
from tenancy.models import Workspace

#: The number of days that the trend shows, with today.
DAYS = 30

# The last counted day is counted again: its runs can have ended since.
_COUNT_DAYS = """
INSERT INTO backup_days (workspace_id, day, counts)
SELECT workspace_id, day, jsonb_object_agg(outcome, runs)
FROM (
    SELECT workspace.id AS workspace_id, run.outcome, count(*) AS runs,
           (run.created_at AT TIME ZONE workspace.timezone)::date AS day
    FROM workspaces workspace
    CROSS JOIN LATERAL (
        SELECT (clock_timestamp() AT TIME ZONE workspace.timezone)::date AS today) clock
    CROSS JOIN LATERAL (
        SELECT COALESCE(max(day), clock.today - %(days)s) AS first
        FROM backup_days WHERE workspace_id = workspace.id) counted
    JOIN operation_runs run ON run.workspace_id = workspace.id
        AND run.type = 'backup_schedule.scheduled'
        AND run.created_at >= counted.first::timestamp AT TIME ZONE workspace.timezone
        AND run.created_at < clock.today::timestamp AT TIME ZONE workspace.timezone
    GROUP BY workspace.id, run.outcome, day
) AS counted GROUP BY workspace_id, day
ON CONFLICT (workspace_id, day) DO UPDATE SET counts = EXCLUDED.counts
WHERE backup_days.counts <> EXCLUDED.counts
"""
_FORGET_DAYS = "DELETE FROM backup_days WHERE day < clock_timestamp()::date - %(days)s"


def count_days() -> None:
    """Count the days that have ended since the last call, at most thirty; forget older ones."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_DAYS, {"days": DAYS})
        cursor.execute(_FORGET_DAYS, {"days": DAYS + 2})


def trend_of(
    workspace: Workspace, now: dt.datetime, today: Mapping[str, int]
) -> list[tuple[dt.date, Mapping[str, int]]]:
    """Return the counts of each of the last thirty days; `today` has those of the current one."""
    last = now.astimezone(zoneinfo.ZoneInfo(workspace.timezone)).date()
    first = last - dt.timedelta(days=DAYS - 1)
    rows = BackupDay.objects.filter(workspace=workspace, day__gte=first, day__lt=last)
    counted: dict[dt.date, Mapping[str, int]] = dict(rows.values_list("day", "counts"))
    counted[last] = today
    days = [first + dt.timedelta(days=number) for number in range(DAYS)]
    return [(day, counted.get(day, Counter())) for day in days]
