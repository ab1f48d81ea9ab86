"""The slots of today in the time zone of the workspace: how they ended, and which are to come."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Iterable

from backups.freshness import Times
from backups.slots import slots_between
from operations.presentation.charts import TO_COME
from operations.presentation.hours import HourCount, day_of
from operations.types import OperationRunType
from tenancy.models import Workspace

HOUR = dt.timedelta(hours=1)
#: No schedule has more slots in a day, which has at most 25 hours.
MAX_SLOTS = 25 * 60


def slots_of_today(
    workspace: Workspace,
    schedules: Iterable[Times],
    now: dt.datetime,
    counts: Iterable[HourCount],
) -> list[tuple[str, Counter[str]]]:
    """Return each hour of today, such as “02:00”, with its numbers of runs and of slots to come.

    `schedules` are those whose slots are to come, `counts` the runs that include those of today.
    """
    zone = zoneinfo.ZoneInfo(workspace.timezone)
    start, end = day_of(now, zone)
    hours: dict[dt.datetime, Counter[str]] = {}
    for number in range((end - start) // HOUR):
        hours[start + number * HOUR] = Counter()
    for of_hour in counts:
        if of_hour.type == OperationRunType.BACKUP_SCHEDULE_SCHEDULED and of_hour.hour >= start:
            hours.setdefault(of_hour.hour, Counter())[of_hour.outcome] += of_hour.count
    for slot in _slots_to_come(schedules, now, end):
        hour = slot.astimezone(zone).replace(minute=0)
        hours.setdefault(hour.astimezone(dt.UTC), Counter())[TO_COME] += 1
    return [(f"{hour.astimezone(zone):%H:%M}", bar) for hour, bar in sorted(hours.items())]


def _slots_to_come(
    schedules: Iterable[Times], now: dt.datetime, end: dt.datetime
) -> list[dt.datetime]:
    """The slots of these schedules until the end of the day."""
    slots: list[dt.datetime] = []
    last = end - dt.timedelta(minutes=1)
    for schedule in schedules:
        first = schedule.next_run_at
        if first and first < end:
            times = schedule.cron, schedule.timezone
            slots += [first, *slots_between(*times, max(first, now), last, MAX_SLOTS)]
    return slots
