"""Cron expressions in words.

The words are made from the minutes, hours and days on which an expression fires, not from its text,
so that an unusual spelling cannot mislead: `*/45` is "At minutes 0 and 45 of every hour".
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Collection, Sequence

from cronsim import CronSim, CronSimError

ALL_HOURS, ALL_MINUTES = list(range(24)), list(range(60))
ALL_DAYS, ALL_WEEKDAYS = set(range(1, 32)), set(range(7))
#: Up to this many times of day are listed one by one.
MAX_LISTED_TIMES = 6
#: By number; 7 is Sunday, too.
WEEKDAYS = ("Sunday", *calendar.day_name[:6])
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", CronSim.LAST: "last"}
SPECIAL_DAYS = {CronSim.LAST: "the last day", CronSim.LAST_WEEKDAY: "the last weekday"}


def describe(cron: str) -> str:
    """Describe when an expression fires, for example "At 02:30 on Monday to Friday".

    An expression that cannot be parsed is returned unchanged.
    """
    try:
        parsed = CronSim(cron, dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    except (CronSimError, AssertionError, ValueError):
        return cron
    words = _describe_time(sorted(parsed.minutes), sorted(parsed.hours))
    if days := _describe_days(parsed):
        words += f" on {days}"
    elif words.startswith("At ") and "minute" not in words and len(parsed.months) == 12:
        words += " every day"
    if len(parsed.months) < 12:
        words += f" in {_ranges(parsed.months, list(calendar.month_name))}"
    return words


def _describe_time(minutes: Sequence[int], hours: Sequence[int]) -> str:
    """A regular interval, a list of times, or minutes of hours."""
    minute_step, hour_step = _step(minutes, 60), _step(hours, 24)
    if hours == ALL_HOURS and minute_step:
        return "Every minute" if minute_step == 1 else f"Every {minute_step} minutes"
    if len(minutes) == 1 and hour_step:
        interval = "hour" if hour_step == 1 else f"{hour_step} hours"
        return f"Every {interval} at minute {minutes[0]}"
    if len(minutes) == 1 and len(hours) > 2 and hours[-1] - hours[0] == len(hours) - 1:
        return f"Every hour from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[0]:02}"
    if len(minutes) * len(hours) <= MAX_LISTED_TIMES:
        return f"At {_join([f'{hour:02}:{minute:02}' for hour in hours for minute in minutes])}"
    if minutes == ALL_MINUTES:
        words = "Every minute"
    elif minute_step:
        words = f"Every {minute_step} minutes"
    else:
        noun = "minute" if len(minutes) == 1 else "minutes"
        words = f"At {noun} {_ranges(minutes)}"
    if hours == ALL_HOURS:
        return f"{words} of every hour"
    noun = "hour" if len(hours) == 1 else "hours"
    return f"{words} in the {noun} {_ranges(hours)}"


def _describe_days(parsed: CronSim) -> str:
    """The days of the month, of the week, or both; empty for every day.

    As in Debian's cron, both must match where one of the fields begins with `*`; otherwise either
    is enough.
    """
    is_any_day = parsed.days >= ALL_DAYS
    is_any_weekday = {day % 7 for day in parsed.weekdays if isinstance(day, int)} == ALL_WEEKDAYS
    if is_any_day and is_any_weekday:
        return ""
    if is_any_day or is_any_weekday:
        if not parsed.day_and:
            return ""
        return _weekday_words(parsed) if is_any_day else _day_words(parsed)
    conjunction = " if it is " if parsed.day_and else ", and on "
    return f"{_day_words(parsed)}{conjunction}{_weekday_words(parsed)}"


def _day_words(parsed: CronSim) -> str:
    words = [text for day, text in SPECIAL_DAYS.items() if day in parsed.days]
    if numbers := parsed.days & ALL_DAYS:
        noun = "day" if len(numbers) == 1 else "days"
        words.insert(0, f"{noun} {_ranges(numbers)}")
    return f"{_join(words)} of the month"


def _weekday_words(parsed: CronSim) -> str:
    weekdays = {day % 7 for day in parsed.weekdays if isinstance(day, int)}
    special = {(day[0] % 7, day[1]) for day in parsed.weekdays if isinstance(day, tuple)}
    words = [f"the {ORDINALS[nth]} {WEEKDAYS[day]} of the month" for day, nth in sorted(special)]
    if weekdays:
        words.insert(0, _ranges(weekdays, WEEKDAYS))
    return _join(words)


def _step(values: Sequence[int], size: int) -> int:
    """The interval of several values that divide the whole evenly from 0 on; 0 for other values."""
    step = size // len(values)
    is_even = size % step == 0 and list(values) == list(range(0, size, step))
    return step if is_even and len(values) > 1 else 0


def _ranges(values: Collection[int], names: Sequence[str] = ()) -> str:
    """Values in order, three and more in a row as a range: "1, 3 and 8 to 17"."""
    ordered = sorted(values)
    words = []
    while ordered:
        length = 1
        while length < len(ordered) and ordered[length] == ordered[0] + length:
            length += 1
        run, ordered = ordered[:length], ordered[length:]
        labels = [names[value] if names else str(value) for value in run]
        words += [f"{labels[0]} to {labels[-1]}"] if length > 2 else labels
    return _join(words)


def _join(words: Sequence[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} and {last}" if head else last
