"""The slots of today in the time zone of the workspace: how they ended, and which are to come."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Iterable, Iterator

from backups.slots import slots_between
from operations.presentation.charts import TO_COME
from operations.presentation.hours import HourCount, day_of
from operations.types import OperationRunType
from tenancy.db import run_prepared
from tenancy.models import Workspace

HOUR = dt.timedelta(hours=1)
#: No schedule has more slots in a day, which has at most 25 hours.
MAX_SLOTS = 25 * 60

_TIMES = """
SELECT cron, timezone, next_run_at, count(*)
FROM backup_schedules schedule JOIN tenants tenant ON tenant.id = schedule.tenant_id
WHERE schedule.workspace_id = %s AND schedule.paused_at IS NULL AND schedule.next_run_at < %s
  AND tenant.status = 'active'
GROUP BY cron, timezone, next_run_at
"""


def slots_of_today(
    workspace: Workspace, now: dt.datetime, counts: Iterable[HourCount]
) -> list[tuple[str, Counter[str]]]:
    """Return each hour of today, such as “02:00”, with its numbers of runs and of slots to come.

    `counts` are the runs that include those of today.
    """
    zone = zoneinfo.ZoneInfo(workspace.timezone)
    start, end = day_of(now, zone)
    hours: dict[dt.datetime, Counter[str]] = {}
    for number in range((end - start) // HOUR):
        hours[start + number * HOUR] = Counter()
    for of_hour in counts:
        if of_hour.type == OperationRunType.BACKUP_SCHEDULE_SCHEDULED and of_hour.hour >= start:
            hours.setdefault(of_hour.hour, Counter())[of_hour.outcome] += of_hour.count
    for slot, number in _slots_to_come(workspace, now, end):
        hour = slot.astimezone(zone).replace(minute=0)
        hours.setdefault(hour.astimezone(dt.UTC), Counter())[TO_COME] += number
    return [(f"{hour.astimezone(zone):%H:%M}", bar) for hour, bar in sorted(hours.items())]


def _slots_to_come(
    workspace: Workspace, now: dt.datetime, end: dt.datetime
) -> Iterator[tuple[dt.datetime, int]]:
    """Yield the slots until the end of the day, with the number of schedules that have each.

    Many schedules of a workspace have the same times.
    """
    last = end - dt.timedelta(minutes=1)
    for cron, timezone, first, number in run_prepared(_TIMES, [workspace.pk, end]):
        for slot in (first, *slots_between(cron, timezone, max(first, now), last, MAX_SLOTS)):
            yield slot, number
