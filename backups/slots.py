"""The slots of a schedule: cron expressions in a time zone, with the semantics of Debian's cron.

A local time that does not exist runs at the first instant after the gap. One that occurs twice runs
once, at the first occurrence. Expressions with a wildcard hour or minute follow elapsed time. A
slot is an instant: a whole minute in UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
import itertools
import zoneinfo
from collections.abc import Iterator
from functools import lru_cache

import tzdata
from cronsim import CronSim, CronSimError
from django.core.exceptions import ValidationError

from backups.cron_spelling import suggest
from tenancy.models import TIMEZONES

MAX_LENGTH = 100
#: The windows in which the latest slot before an instant is searched, from frequent to rare ones.
WINDOWS = tuple(
    dt.timedelta(days=days) for days in (5 / 1440, 1 / 12, 2, 9, 63, 367, 4 * 366, 9 * 366)
)
ZERO = dt.timedelta(0)
#: The longest time by which an update of time-zone rules moves a slot.
MAX_SHIFT = dt.timedelta(hours=3)
#: The longest time from a slot to the start of its backup, and its share of the time between slots.
MAX_SPREAD = dt.timedelta(minutes=5)
SPREAD_DIVISOR = 10
#: How many results of a computation are kept: many schedules have the same times.
CACHED = 4096


def validate_cron(text: str) -> None:
    """Accept a cron expression of five fields that has at least one slot.

    Raises:
        ValidationError: the number of fields is wrong, a value is invalid, or there is no slot.
    """
    if len(text) > MAX_LENGTH:
        raise ValidationError(f"A cron expression has at most {MAX_LENGTH} characters.")
    if suggestion := suggest(text):
        raise ValidationError(suggestion)
    if len(text.split()) != 5:
        raise ValidationError(
            "A cron expression has five fields: minute, hour, day of month, month, day of week."
        )
    try:
        next(CronSim(text, dt.datetime(2024, 1, 1, tzinfo=dt.UTC)))
    except CronSimError as error:
        cause = str(error)
        message = f"Not a cron expression: {cause[:1].lower()}{cause[1:]}."
        raise ValidationError(message) from error
    except (AssertionError, ValueError) as error:
        raise ValidationError("Not a cron expression: bad value.") from error
    except StopIteration:
        raise ValidationError("This expression never runs.") from None


def rules_version() -> str:
    """Return the version of the time-zone rules of this process, such as `2026f`.

    The settings make the package `tzdata` their only source.
    """
    version: str = tzdata.IANA_VERSION
    return version


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone with this name.

    Raises:
        ValueError: the time zone is unknown.
    """
    if name not in TIMEZONES:
        raise ValueError(f"“{name[:64]}” is not a known time zone")
    return zoneinfo.ZoneInfo(name)


def slots(cron: str, timezone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """Generate the slots later than `after`, in order, without duplicates."""
    zone, last = zone_of(timezone), after.astimezone(dt.UTC)
    if _follows_elapsed_time(cron):
        instants = _instants_of_elapsed_time(cron, zone, last)
    else:
        # The library moves a time inside a gap to the end of the gap.
        instants = (local.astimezone(dt.UTC) for local in CronSim(cron, last.astimezone(zone)))
    for slot in instants:
        # In a repeated hour a fixed time occurs twice; at a gap two times become one instant.
        if slot > last:
            last = slot
            yield slot


def _follows_elapsed_time(cron: str) -> bool:
    minute, hour, *_ = cron.split()
    return minute.startswith("*") or hour.startswith("*")


def _instants_of_elapsed_time(
    cron: str, zone: zoneinfo.ZoneInfo, after: dt.datetime
) -> Iterator[dt.datetime]:
    """Generate each instant at which the local time matches the expression, in order.

    The expression is evaluated without a time zone: with one, the library loses its step at clock
    changes of half an hour, and when it starts inside a gap.
    """
    # Start at the earliest local time that can still occur: a repeated hour begins again.
    local, tomorrow = after.astimezone(zone), (after + dt.timedelta(days=1)).astimezone(zone)
    goes_back = (local.utcoffset() or ZERO) - (tomorrow.utcoffset() or ZERO)
    start = local.replace(tzinfo=None) - max(goes_back, ZERO)
    pending: list[dt.datetime] = []
    for local_time in CronSim(cron, start):
        instants = _instants_of(local_time, zone)
        # The second occurrence in a repeated hour follows the earlier instants of that hour.
        while instants and pending and pending[0] < instants[0]:
            yield heapq.heappop(pending)
        for instant in instants:
            heapq.heappush(pending, instant)
    yield from sorted(pending)


def _instants_of(local_time: dt.datetime, zone: zoneinfo.ZoneInfo) -> list[dt.datetime]:
    """The instants of a local time: usually one, two in a repeated hour, none in a gap."""
    instants = {local_time.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(at for at in instants if at.astimezone(zone).replace(tzinfo=None) == local_time)


def next_slot(cron: str, timezone: str, after: dt.datetime) -> dt.datetime:
    """Return the first slot later than `after`.

    Raises:
        ValueError: there is none; `validate_cron` rejects such expressions.
    """
    return _next_slot(cron, timezone, minute_of(after))


def minute_of(moment: dt.datetime) -> dt.datetime:
    """Return the minute of a moment. The same slots are after both, because a slot is a minute."""
    return moment.replace(second=0, microsecond=0)


@lru_cache(maxsize=CACHED)
def _next_slot(cron: str, timezone: str, after: dt.datetime) -> dt.datetime:
    slot = next(slots(cron, timezone, after), None)
    if slot is None:
        raise ValueError(f"“{cron}” never runs")
    return slot


def next_slots(
    cron: str, timezone: str, first: dt.datetime | None, count: int
) -> list[dt.datetime]:
    """Return `first` and the slots after it, `count` in total; none if `first` is None."""
    if first is None:
        return []
    return [first, *itertools.islice(slots(cron, timezone, first), count - 1)]


def next_skipped_day(cron: str, timezone: str, after: dt.datetime) -> dt.date | None:
    """Return the first day of the coming year whose slots all fall into a gap of the local time.

    Only expressions that follow elapsed time have such days: of `*/30 2 * * *`, the night on which
    the clocks go from 2:00 to 3:00. None if there is no such day.
    """
    if not _follows_elapsed_time(cron):
        return None
    zone = zone_of(timezone)
    today = after.astimezone(zone).date()
    for day in (today + dt.timedelta(days=days) for days in range(1, 367)):
        start, end = (_midnight(each, zone) for each in (day, day + dt.timedelta(days=1)))
        is_shorter = end - start < dt.timedelta(days=1)
        if is_shorter and _matches(cron, day) and not slots_between(cron, timezone, start, end, 1):
            return day
    return None


def _midnight(day: dt.date, zone: zoneinfo.ZoneInfo) -> dt.datetime:
    """The last minute before a day, in UTC."""
    midnight = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    return midnight - dt.timedelta(minutes=1)


def _matches(cron: str, day: dt.date) -> bool:
    """Whether any time of a day matches the expression, whatever the clocks do."""
    start = dt.datetime.combine(day, dt.time()) - dt.timedelta(minutes=1)
    first: dt.datetime = next(CronSim(cron, start))
    return first.date() == day


def slots_between(
    cron: str, timezone: str, start: dt.datetime, end: dt.datetime, limit: int
) -> list[dt.datetime]:
    """Return up to `limit` slots later than `start`, up to and including `end`."""
    until_end = itertools.takewhile(lambda slot: slot <= end, slots(cron, timezone, start))
    return list(itertools.islice(until_end, limit))


def latest_slot(
    cron: str, timezone: str, after: dt.datetime, until: dt.datetime
) -> dt.datetime | None:
    """Return the last slot later than `after`, up to and including `until`; None if there is none."""
    for start in (*(until - window for window in WINDOWS), after):
        latest = None
        for slot in slots(cron, timezone, max(start, after)):
            if slot > until:
                break
            latest = slot
        if latest or start <= after:
            return latest
    raise AssertionError("the last start is `after` itself")


def shift_of_rules(cron: str, timezone: str, old_slot: dt.datetime) -> dt.timedelta:
    """Return how far an update of time-zone rules moved a slot; zero if it was no fixed time.

    `old_slot` is the slot by the earlier rules.
    """
    if _follows_elapsed_time(cron):
        return ZERO
    earliest = old_slot - MAX_SHIFT - dt.timedelta(minutes=1)
    nearby = slots_between(cron, timezone, earliest, old_slot + MAX_SHIFT, limit=1000)
    return min((slot - old_slot for slot in nearby), key=abs, default=ZERO)


def spread(cron: str, timezone: str, key: str, after: dt.datetime) -> dt.timedelta:
    """Return the delay between the slots of a schedule and its starts, derived from `key`.

    It is at most five minutes and at most a tenth of the time between two slots: a thousand
    schedules for 02:00 do not call Microsoft at the same second, and a schedule that runs every
    minute starts promptly.
    """
    first, second = itertools.islice(slots(cron, timezone, after), 2)
    longest = min(MAX_SPREAD, (second - first) / SPREAD_DIVISOR)
    fraction = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return dt.timedelta(seconds=int(longest.total_seconds() * fraction))
