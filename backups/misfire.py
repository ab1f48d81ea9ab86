"""Decide which due slot runs and which slots were missed. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from backups.slots import latest_slot, next_slot, slots_between

#: A slot that is at most this late is on time: beat ticks every 30 seconds, and one can be lost.
ON_TIME = dt.timedelta(minutes=2)
MAX_COUNTED = 1000
ONE_MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Missed:
    """A range of slots that did not run. `slots` is their number, at most `MAX_COUNTED`."""

    slots: int
    first: dt.datetime
    last: dt.datetime

    @property
    def is_capped(self) -> bool:
        """Whether there can be more slots than were counted."""
        return self.slots >= MAX_COUNTED


@dataclass(frozen=True)
class Decision:
    """What happens to the due slots of a schedule: each of them either runs or was missed."""

    run_slot: dt.datetime | None
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

    Only the latest slot can run: if it is on time, or within `grace` if the schedule catches up.
    All others were missed.
    """
    latest = latest_slot(cron, timezone, due - ONE_MINUTE, until) or due
    tolerance = max(grace, ON_TIME) if catch_up else ON_TIME
    following = next_slot(cron, timezone, latest)
    if until - latest <= tolerance:
        missed = _missed_slots(cron, timezone, due, latest - ONE_MINUTE)
        return Decision(run_slot=latest, missed=missed, next_slot=following)
    missed = _missed_slots(cron, timezone, due, latest)
    return Decision(run_slot=None, missed=missed, next_slot=following)


def _missed_slots(cron: str, timezone: str, due: dt.datetime, until: dt.datetime) -> Missed | None:
    if until < due:
        return None
    slots = slots_between(cron, timezone, due - ONE_MINUTE, until, MAX_COUNTED) or [due]
    last = slots[-1]
    if len(slots) == MAX_COUNTED:
        last = latest_slot(cron, timezone, due - ONE_MINUTE, until) or last
    return Missed(len(slots), slots[0], last)
