"""Slots around every clock change, compared with an oracle that shares no code with the product.

The oracle goes minute by minute and implements the rule of Debian's cron: an expression with a
fixed minute and hour follows local time, so a skipped time runs at the first instant after the gap
and a repeated one runs once, at the first occurrence. Any other expression follows elapsed time.
"""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from collections.abc import Iterator

import pytest

from backups.slots import slots_between

ZONES = (
    *("America/New_York", "America/Havana", "America/Santiago", "America/St_Johns"),
    *("Europe/Berlin", "Europe/London", "Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll"),
    *("Asia/Jerusalem", "Asia/Beirut", "Australia/Lord_Howe", "Australia/Sydney"),
    *("Pacific/Auckland", "Pacific/Chatham", "Pacific/Norfolk"),
)
#: Zones without clock changes: an unusual offset, an abolished daylight saving time, UTC.
FIXED_ZONES = ("Asia/Kathmandu", "Asia/Tehran", "UTC")
EXPRESSIONS = (
    *("20 0-4 * * *", "10,50 1 * * *"),
    *("30 2 * * *", "0 0 * * *", "0 * * * *", "*/15 * * * *", "30 1 * * *", "15 2,3 * * *"),
    *("0 3 29 * *", "30 2 * * 0", "0 2 13 * 5", "5 */2 * * *", "45 1-3 * * 6,0", "0 3 1-7 3,11 *"),
    *("50 */2 * * *", "*/20 1-3 * * *", "25,35 */3 * * 0"),
)
YEAR = 2026
MINUTE, WINDOW = dt.timedelta(minutes=1), dt.timedelta(hours=36)
LOOK_BACK = dt.timedelta(hours=30)
#: Start times in minutes from a change, and the period in which the slots are compared.
STARTS = (*range(-180, 181, 15), -1, 1, 2, 4, 5, 6, 10, 20, 29, 31, 59, 61)
AROUND = dt.timedelta(hours=8)


def changes(zone: str) -> list[dt.datetime]:
    """The instants of the year at which a zone's offset changes, to the minute."""
    tz = zoneinfo.ZoneInfo(zone)
    start = dt.datetime(YEAR, 1, 1, tzinfo=dt.UTC)
    hours = [start + dt.timedelta(hours=n) for n in range(24 * 365)]
    instants = []
    for earlier, later in itertools.pairwise(hours):
        if earlier.astimezone(tz).utcoffset() != later.astimezone(tz).utcoffset():
            at = earlier
            while at.astimezone(tz).utcoffset() == earlier.astimezone(tz).utcoffset():
                at += MINUTE
            instants.append(at)
    return instants


VECTORS = [
    (zone, cron, change) for zone in ZONES for change in changes(zone) for cron in EXPRESSIONS
] + [
    (zone, cron, dt.datetime(YEAR, month, 28, 12, tzinfo=dt.UTC))
    for zone in FIXED_ZONES
    for month in (3, 10)
    for cron in EXPRESSIONS
]


# --- the oracle -------------------------------------------------------------------------------------


def field(text: str, lowest: int, highest: int) -> set[int]:
    """The numbers that match one field of an expression."""
    numbers: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = lowest, highest
        else:
            first_text, _, last_text = span.partition("-")
            first, last = int(first_text), int(last_text or first_text)
        numbers |= set(range(first, last + 1, int(step or 1)))
    return numbers


class Expression:
    def __init__(self, cron: str) -> None:
        minute, hour, day, month, weekday = cron.split()
        self.is_fixed = not minute.startswith("*") and not hour.startswith("*")
        self.minutes, self.hours = field(minute, 0, 59), field(hour, 0, 23)
        self.days, self.months = field(day, 1, 31), field(month, 1, 12)
        self.weekdays = {number % 7 for number in field(weekday, 0, 7)}
        self.either_day = not day.startswith("*") and not weekday.startswith("*")

    def matches(self, local_time: dt.datetime) -> bool:
        """Whether the expression matches this local time."""
        by_date, by_weekday = (
            local_time.day in self.days,
            local_time.isoweekday() % 7 in self.weekdays,
        )
        is_day = (by_date or by_weekday) if self.either_day else (by_date and by_weekday)
        is_time = local_time.minute in self.minutes and local_time.hour in self.hours
        return is_time and is_day and local_time.month in self.months


def oracle(cron: str, zone: str, start: dt.datetime, end: dt.datetime) -> list[dt.datetime]:
    """The slots later than `start` up to and including `end`."""
    walk = _fixed if Expression(cron).is_fixed else _elapsed
    return sorted({slot for slot in walk(cron, zone, start, end) if start < slot <= end})


def _elapsed(cron: str, zone: str, start: dt.datetime, end: dt.datetime) -> Iterator[dt.datetime]:
    expression, tz, at = Expression(cron), zoneinfo.ZoneInfo(zone), start
    while (at := at + MINUTE) <= end:
        if expression.matches(at.astimezone(tz)):
            yield at


def _fixed(cron: str, zone: str, start: dt.datetime, end: dt.datetime) -> Iterator[dt.datetime]:
    """For each minute of the local calendar: the first instant with that local time or a later one."""
    expression, tz = Expression(cron), zoneinfo.ZoneInfo(zone)
    begin = start - LOOK_BACK
    first_shown: dict[dt.datetime, dt.datetime] = {}
    gaps: list[tuple[dt.datetime, dt.datetime, dt.datetime]] = []
    at, before = begin, begin.astimezone(tz).replace(tzinfo=None)
    while (at := at + MINUTE) <= end:
        local_time = at.astimezone(tz).replace(tzinfo=None)
        first_shown.setdefault(local_time, at)
        if local_time - before > MINUTE:
            gaps.append((before, local_time, at))
        before = local_time
    yield from (at for local_time, at in first_shown.items() if expression.matches(local_time))
    for before, after, at in gaps:
        skipped = before
        while (skipped := skipped + MINUTE) < after:
            if expression.matches(skipped):
                yield at


# --- the tests --------------------------------------------------------------------------------------


def test_there_are_enough_vectors() -> None:
    assert len(VECTORS) >= 500
    assert len({zone for zone, _, _ in VECTORS}) >= 12
    assert all(changes(zone) for zone in ZONES)


@pytest.mark.parametrize(
    ("zone", "cron", "change"), VECTORS, ids=[f"{z} {c} {at:%m-%d}" for z, c, at in VECTORS]
)
def test_the_slots_around_a_clock_change_match_the_oracle(
    zone: str, cron: str, change: dt.datetime
) -> None:
    start, end = change - WINDOW, change + WINDOW
    expected = oracle(cron, zone, start, end)

    assert slots_between(cron, zone, start, end, 1000) == expected


@pytest.mark.parametrize("zone", ZONES)
def test_the_slots_do_not_depend_on_the_start_within_a_clock_change(zone: str) -> None:
    """A tick, a pause and an edit start before, inside or after a clock change."""
    for change, cron in itertools.product(changes(zone), EXPRESSIONS):
        end = change + AROUND
        expected = oracle(cron, zone, change - AROUND, end)
        for minutes in STARTS:
            start = change + minutes * MINUTE

            slots = slots_between(cron, zone, start, end, 1000)

            assert slots == [slot for slot in expected if slot > start], (cron, start)


def test_the_oracle_is_correct_on_known_days() -> None:
    """The cases are from Debian's documentation and from known errors of other systems."""

    def day(zone: str, cron: str, date: str) -> list[str]:
        start = dt.datetime.fromisoformat(f"{date}T00:00:00+00:00")
        slots = oracle(cron, zone, start, start + dt.timedelta(hours=24))
        return [f"{slot:%H:%M}" for slot in slots]

    assert day("America/New_York", "30 2 * * *", "2026-03-08") == ["07:00"]
    assert day("Europe/Berlin", "30 2 * * *", "2026-03-29") == ["01:00"]
    assert day("America/New_York", "30 1 * * *", "2026-11-01") == ["05:30"]
    assert len(day("Europe/Berlin", "0 * * * *", "2026-10-25")) == 24
