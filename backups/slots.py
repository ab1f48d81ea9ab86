"""When a schedule fires: cron expressions in a time zone, with the semantics of Debian's cron.

A local time that does not exist fires at the first instant after the gap. One that occurs twice
fires once, at the first. Expressions with a wildcard hour or minute follow elapsed time. A slot is
an instant: a whole minute in UTC.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
import itertools
import zoneinfo
from collections.abc import Iterator

from cronsim import CronSim, CronSimError
from django.core.exceptions import ValidationError

from backups.cron_spelling import suggest
from tenancy.models import TIMEZONES

MAX_LENGTH = 100
#: Steps in which the newest slot before an instant is looked for, from the likely to the rare.
WINDOWS = tuple(
    dt.timedelta(days=days) for days in (5 / 1440, 1 / 12, 2, 9, 63, 367, 4 * 366, 9 * 366)
)
NOTHING = dt.timedelta(0)
#: A backup starts at most this long after its slot, and this part of the time to the next one.
MAX_SPREAD = dt.timedelta(minutes=5)
SPREAD_PART = 10


def validate_cron(text: str) -> None:
    """Accept a five-field cron expression that fires some day.

    Raises:
        ValidationError: it has another number of fields, a value out of range, or never fires.
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
    except (CronSimError, AssertionError, ValueError) as error:
        raise ValidationError(f"Not a cron expression: {_complaint(error)}.") from error
    except StopIteration:
        raise ValidationError("This expression never fires.") from None


def _complaint(error: Exception) -> str:
    text = str(error) if isinstance(error, CronSimError) else "bad value"
    return f"{text[:1].lower()}{text[1:]}"


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """The zone of that name.

    Raises:
        ValueError: it is not in the list of known zones.
    """
    if name not in TIMEZONES:
        raise ValueError(f"“{name[:64]}” is not a known time zone")
    return zoneinfo.ZoneInfo(name)


def slots(cron: str, timezone: str, after: dt.datetime) -> Iterator[dt.datetime]:
    """Every slot later than `after`, in order, each once; ends only for an expression that does."""
    zone, last = zone_of(timezone), after.astimezone(dt.UTC)
    for slot in (_elapsed if _has_wildcard_time(cron) else _by_the_wall)(cron, zone, last):
        # In a repeated hour a fixed time comes up again; around a gap two times become one.
        if slot > last:
            last = slot
            yield slot


def _has_wildcard_time(cron: str) -> bool:
    """Whether the expression follows elapsed time instead of the wall clock."""
    minute, hour, *_ = cron.split()
    return minute.startswith("*") or hour.startswith("*")


def _by_the_wall(cron: str, zone: zoneinfo.ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Each time of the wall calendar once; one that is skipped at the end of its gap."""
    for local in CronSim(cron, after.astimezone(zone)):
        yield local.astimezone(dt.UTC)


def _elapsed(cron: str, zone: zoneinfo.ZoneInfo, after: dt.datetime) -> Iterator[dt.datetime]:
    """Each instant at which the clock shows a time of the expression, in order.

    The expression is walked on a calendar that knows no change of clocks: one that does loses its
    step at those of half an hour, and when it starts inside a gap.
    """
    waiting: list[dt.datetime] = []
    for wall in CronSim(cron, _first_wall_time(zone, after)):
        shown = _shown(wall, zone)
        # The second time of a repeated hour waits until what comes before it has had its turn.
        while shown and waiting and waiting[0] < shown[0]:
            yield heapq.heappop(waiting)
        for instant in shown:
            heapq.heappush(waiting, instant)
    yield from sorted(waiting)


def _first_wall_time(zone: zoneinfo.ZoneInfo, after: dt.datetime) -> dt.datetime:
    """The earliest time that the clock may still show: before a repeated hour, that hour's."""
    here, tomorrow = after.astimezone(zone), (after + dt.timedelta(days=1)).astimezone(zone)
    goes_back = (here.utcoffset() or NOTHING) - (tomorrow.utcoffset() or NOTHING)
    return here.replace(tzinfo=None) - max(goes_back, NOTHING)


def _shown(wall: dt.datetime, zone: zoneinfo.ZoneInfo) -> list[dt.datetime]:
    """The instants at which a clock shows a time: one, two in a repeated hour, none in a gap."""
    instants = {wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    return sorted(at for at in instants if at.astimezone(zone).replace(tzinfo=None) == wall)


def next_slot(cron: str, timezone: str, after: dt.datetime) -> dt.datetime:
    """The first slot later than `after`.

    Raises:
        ValueError: there is none; `validate_cron` refuses such expressions.
    """
    slot = next(slots(cron, timezone, after), None)
    if slot is None:
        raise ValueError(f"“{cron}” never fires")
    return slot


def next_slots(
    cron: str, timezone: str, first: dt.datetime | None, count: int
) -> list[dt.datetime]:
    """`first` and the slots after it; none for a schedule that waits for none."""
    if first is None:
        return []
    return [first, *itertools.islice(slots(cron, timezone, first), count - 1)]


def slots_between(
    cron: str, timezone: str, start: dt.datetime, end: dt.datetime, limit: int
) -> list[dt.datetime]:
    """The slots later than `start` up to and including `end`, at most `limit` of them."""
    wanted = itertools.takewhile(lambda slot: slot <= end, slots(cron, timezone, start))
    return list(itertools.islice(wanted, limit))


def latest_slot(
    cron: str, timezone: str, after: dt.datetime, until: dt.datetime
) -> dt.datetime | None:
    """The last slot later than `after` up to and including `until`, however long that is."""
    for start in (*(until - window for window in WINDOWS), after):
        found = None
        for slot in slots(cron, timezone, max(start, after)):
            if slot > until:
                break
            found = slot
        if found or start <= after:
            return found
    raise AssertionError("the last start is `after` itself")


def spread(cron: str, timezone: str, key: str, after: dt.datetime) -> dt.timedelta:
    """How long after its slots a schedule starts: always the same for one key, different between.

    Up to five minutes and at most a tenth of the time between two slots, so that a thousand
    schedules of 02:00 do not ask Microsoft at the same second and one of every minute is prompt.
    """
    first, second = itertools.islice(slots(cron, timezone, after), 2)
    longest = min(MAX_SPREAD, (second - first) / SPREAD_PART)
    chance = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
    return dt.timedelta(seconds=int(longest.total_seconds() * chance))
