"""Decide which due slot runs and which slots were missed. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from backups.slots import latest_slot, minute_of, next_slot, slots_between

#: A slot that is at most this late is on time: beat ticks every 30 seconds, and one can be lost.
ON_TIME = dt.timedelta(minutes=2)
MAX_COUNTED = 1000
ONE_MINUTE = dt.timedelta(minutes=1)
#: How many results of each computation are kept.
CACHED = 1024


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
    """What happens to the due slots of a schedule: each of them either runs or was missed.

    Then every slot up to `settled_until` is settled, and `next_slot` is the first one after it.
    """

    run_slot: dt.datetime | None
    missed: Missed | None
    settled_until: dt.datetime
    next_slot: dt.datetime


def decide(
    *,
    cron: str,
    timezone: str,
    settled_until: dt.datetime,
    until: dt.datetime,
    catch_up: bool,
    grace: dt.timedelta,
) -> Decision:
    """Account for the slots after `settled_until`, up to and including `until`.

    Only the latest slot can run: if it is on time, or within `grace` if the schedule catches up.
    All others were missed. An instant that is no slot by the current rules of the time zone never
    runs, even if it was the next slot by earlier rules.
    """
    settled = max(settled_until, until)
    after = minute_of(settled_until)
    following = next_slot(cron, timezone, settled)
    latest = _latest_slot(cron, timezone, after, minute_of(until))
    if latest is None:
        return Decision(None, None, settled, following)
    tolerance = max(grace, ON_TIME) if catch_up else ON_TIME
    if until - latest <= tolerance:
        missed = _missed_slots(cron, timezone, after, latest - ONE_MINUTE)
        return Decision(latest, missed, settled, following)
    missed = _missed_slots(cron, timezone, after, latest)
    return Decision(None, missed, settled, following)


# Many schedules have the same times, and their slots come in the same tick.
_latest_slot = lru_cache(maxsize=CACHED)(latest_slot)


@lru_cache(maxsize=CACHED)
def _missed_slots(
    cron: str, timezone: str, settled_until: dt.datetime, until: dt.datetime
) -> Missed | None:
    slots = slots_between(cron, timezone, settled_until, until, MAX_COUNTED)
    if not slots:
        return None
    last = slots[-1]
    if len(slots) == MAX_COUNTED:
        last = latest_slot(cron, timezone, last, until) or last
    return Missed(len(slots), slots[0], last)
