"""The slots of today in the time zone of the workspace: how they ended, and which are to come."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter
from collections.abc import Iterable

from django.db.models import Count
from django.db.models.functions import Trunc

from backups.models import BackupSchedule
from backups.slots import slots_between
from operations.models import OperationRun
from operations.presentation.charts import TO_COME
from operations.types import OperationRunType
from tenancy.models import Workspace

HOUR = dt.timedelta(hours=1)
#: No schedule has more slots in a day, which has at most 25 hours.
MAX_SLOTS = 25 * 60


def slots_of_today(
    workspace: Workspace, schedules: Iterable[BackupSchedule], now: dt.datetime
) -> list[tuple[str, Counter[str]]]:
    """Return each hour of today, such as “02:00”, with its numbers of runs and of slots to come.

    `schedules` are those whose slots are to come.
    """
    zone = zoneinfo.ZoneInfo(workspace.timezone)
    start, end = day_of(now, zone)
    hours: dict[dt.datetime, Counter[str]] = {}
    for number in range((end - start) // HOUR):
        hours[start + number * HOUR] = Counter()
    for hour, outcome, count in _runs_by_hour(workspace, start, zone):
        hours.setdefault(hour.astimezone(dt.UTC), Counter())[outcome] += count
    for slot in _slots_to_come(schedules, now, end):
        hour = slot.astimezone(zone).replace(minute=0)
        hours.setdefault(hour.astimezone(dt.UTC), Counter())[TO_COME] += 1
    return [(f"{hour.astimezone(zone):%H:%M}", counts) for hour, counts in sorted(hours.items())]


def day_of(now: dt.datetime, zone: dt.tzinfo) -> tuple[dt.datetime, dt.datetime]:
    """Return the start and the end of the local day, in UTC; it can have 23 or 25 hours."""
    today = now.astimezone(zone).date()
    starts = [
        dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)
        for day in (today, today + dt.timedelta(days=1))
    ]
    return starts[0], starts[1]


def _runs_by_hour(
    workspace: Workspace, start: dt.datetime, zone: dt.tzinfo
) -> list[tuple[dt.datetime, str, int]]:
    runs = OperationRun.objects.filter(
        workspace=workspace,
        type=OperationRunType.BACKUP_SCHEDULE_SCHEDULED,
        created_at__gte=start,
    )
    by_hour = runs.annotate(hour=Trunc("created_at", "hour", tzinfo=zone)).order_by()
    return list(by_hour.values_list("hour", "outcome").annotate(Count("id")))


def _slots_to_come(
    schedules: Iterable[BackupSchedule], now: dt.datetime, end: dt.datetime
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
