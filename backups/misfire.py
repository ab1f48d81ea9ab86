"""Which of the slots that are due fires, and which were missed. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.slots import latest_slot, next_slot, slots_between

#: A slot this late is on time: beat ticks every 30 seconds, and a tick may be lost.
ON_TIME = dt.timedelta(minutes=2)
MAX_COUNTED = 1000
A_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Missed:
    """Slots that nobody fired, as one range. `slots` stops counting at MAX_COUNTED."""

    slots: int
    first: dt.datetime
    last: dt.datetime

    @property
    def is_more(self) -> bool:
        return self.slots >= MAX_COUNTED


@dataclass(frozen=True)
class Decision:
    """What to do about a schedule that is due: every slot up to now is in one of the two."""

    fire: dt.datetime | None
    missed: Missed | None
    next_slot: dt.datetime


def decide(
    *,
    cron: str,
    timezone: str,
    due: dt.datetime,
    until: dt.datetime,
    catch_up: bool,
    grace: dt.timedelta,
) -> Decision:
    """Account for the slots from `due` up to and including `until`.

    Only the latest can fire: on time, or within `grace` where the schedule catches up. All others
    were missed.
    """
    latest = latest_slot(cron, timezone, due - A_MINUTE, until) or due
    tolerance = max(grace, ON_TIME) if catch_up else ON_TIME
    fires = until - latest <= tolerance
    missed_until = latest - A_MINUTE if fires else latest
    return Decision(
        fire=latest if fires else None,
        missed=_missed(cron, timezone, due, missed_until),
        next_slot=next_slot(cron, timezone, latest),
    )


def _missed(cron: str, timezone: str, due: dt.datetime, until: dt.datetime) -> Missed | None:
    if until < due:
        return None
    counted = slots_between(cron, timezone, due - A_MINUTE, until, MAX_COUNTED) or [due]
    last = counted[-1]
    if len(counted) == MAX_COUNTED:
        last = latest_slot(cron, timezone, due - A_MINUTE, until) or last
    return Missed(len(counted), counted[0], last)
