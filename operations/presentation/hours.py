"""The runs of the last 24 hours and of today, counted by hour for the charts of the overview."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.db.models import Count, Q
from django.db.models.functions import Trunc

from operations.models import OperationRun
from tenancy.clock import request_now
from tenancy.http import Request
from tenancy.models import Workspace

HOURS = 24
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


def count_by_hour(workspace: Workspace, now: dt.datetime) -> list[HourCount]:
    """Count the runs by the hours of the workspace's time zone."""
    zone = zoneinfo.ZoneInfo(workspace.timezone)
    yesterday, (midnight, _) = now - dt.timedelta(hours=HOURS), day_of(now, zone)
    runs = OperationRun.objects.filter(
        workspace=workspace, created_at__gte=min(yesterday, midnight)
    )
    rows = (
        runs.order_by()
        .values_list(Trunc("created_at", "hour", tzinfo=zone), "type", "outcome")
        .annotate(count=Count("id"), recent=Count("id", filter=Q(created_at__gte=yesterday)))
    )
    return [HourCount(hour.astimezone(dt.UTC), *counts) for hour, *counts in rows]


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
