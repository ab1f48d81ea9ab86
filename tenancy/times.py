"""Times as text: every page shows them through here, in one time zone.

That is the zone of the user; without one, the zone of the workspace; without a workspace, UTC.
Lists show `short_text`, or the age of what is younger than a day; a single time is `exact_text`.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any

from django.template import Context

from tenancy.clock import request_now
from tenancy.models import TIMEZONES, Workspace

DAY = dt.timedelta(days=1)


def display_zone(user: Any, workspace: Workspace | None) -> zoneinfo.ZoneInfo:
    """Return the time zone in which a user sees the times of a workspace."""
    names = (getattr(user, "timezone", ""), workspace.timezone if workspace else "")
    # A later version of the time-zone data can lack a stored zone.
    return zoneinfo.ZoneInfo(next((name for name in names if name in TIMEZONES), "UTC"))


def page_zone(context: Context) -> zoneinfo.ZoneInfo:
    """Return the time zone of a page; an `include` with `only` must pass `workspace`."""
    request = getattr(context, "request", None)
    return display_zone(getattr(request, "user", None), context.get("workspace"))


def short_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time to the minute: “3 Nov, 02:00”; with the year, if it is not this one."""
    local, now = moment.astimezone(zone), request_now().astimezone(zone)
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local.day} {local:%b}{year}, {local:%H:%M}"


def minute_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time of today to the minute, “18:25”; on another day it is `short_text`."""
    local, now = moment.astimezone(zone), request_now().astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.date() else short_text(moment, zone)


def exact_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a time with its zone: “3 Nov 2026, 02:00:00 CET”; a whole minute has no seconds."""
    local = moment.astimezone(zone)
    precision = "seconds" if local.second or local.microsecond else "minutes"
    return f"{day_text(local)}, {local.time().isoformat(precision)} {_zone_text(local)}"


def day_text(day: dt.date) -> str:
    """Return a day: “3 Nov 2026”."""
    return f"{day.day} {day:%b %Y}"


def title_text(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """Return a text such as “2026-03-08 07:00:00 UTC · 08:00:00 Europe/Berlin”."""
    # `isoformat` takes less than half of the time of `strftime`, and a log has 200 times.
    in_utc, local = (
        moment.astimezone(each).replace(tzinfo=None).isoformat(" ", "seconds")
        for each in (dt.UTC, zone)
    )
    return f"{in_utc} UTC" if str(zone) == "UTC" else f"{in_utc} UTC · {local} {zone}"


def _zone_text(local: dt.datetime) -> str:
    """Return the abbreviation of a zone, such as CET; most zones have only an offset: UTC+05:45."""
    name = local.tzname() or ""
    if name.isalpha():
        return name
    offset = f"{local:%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"
