"""The words for a schedule agree with the times at which it fires."""

from __future__ import annotations

import calendar
import datetime as dt
import random
import re
from collections.abc import Callable

import pytest
from cronsim import CronSim, CronSimError

from backups.cron_words import describe
from tests.support.properties import examples

#: A leap year.
DAYS = [dt.date(2028, 1, 1) + dt.timedelta(days=number) for number in range(366)]
START = dt.datetime(2027, 12, 31, 23, 59, tzinfo=dt.UTC)
MONTHS, WEEKDAYS = list(calendar.month_name), ["Sunday", *calendar.day_name[:6]]
ORDINALS = ["first", "second", "third", "fourth", "fifth"]


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("30 2 * * *", "At 02:30 every day"),
        ("17 * * * *", "Every hour at minute 17"),
        ("15 */6 * * *", "Every 6 hours at minute 15"),
        ("0 9-17 * * MON-FRI", "Every hour from 09:00 to 17:00 on Monday to Friday"),
        ("5,20 8,20 * 1,7 *", "At 08:05, 08:20, 20:05 and 20:20 in January and July"),
        ("0 3 * 1-3 *", "At 03:00 in January to March"),
        # A step beyond the range, and steps that do not divide it.
        ("*/100 * * * *", "Every hour at minute 0"),
        ("*/45 * * * *", "At minutes 0 and 45 of every hour"),
        ("0 */23 * * *", "At 00:00 and 23:00 every day"),
        # Special days.
        (
            "0 2 * * 5L,1#1",
            "At 02:00 on the first Monday of the month and the last Friday of the month",
        ),
        ("0 2 1,LW * *", "At 02:00 on day 1 and the last weekday of the month"),
        ("0 0 * * 0,7", "At 00:00 on Sunday"),
        # Both days: either is enough, unless a field begins with a star.
        ("0 0 13 * 5", "At 00:00 on day 13 of the month, and on Friday"),
        ("0 0 */15 * 5", "At 00:00 on days 1, 16 and 31 of the month if it is Friday"),
        ("0 0 13 * 1-7", "At 00:00 every day"),
        ("0 2 */14 * 1", "At 02:00 on days 1, 15 and 29 of the month if it is Monday"),
        ("0 2 1-7 * 1-5", "At 02:00 on days 1 to 7 of the month, and on Monday to Friday"),
        ("0 2 * * 0-7", "At 02:00 every day"),
        # A value with a step, which goes on to the end of the field, and lists with steps.
        ("0 20/2 * * *", "At 20:00 and 22:00 every day"),
        ("0 2 * * MON,FRI/2", "At 02:00 on Sunday, Monday and Friday"),
        ("0 2 L,15 * *", "At 02:00 on day 15 and the last day of the month"),
        ("0 */8,5 * * *", "At 00:00, 05:00, 08:00 and 16:00 every day"),
        ("0 2 * */4,5 *", "At 02:00 in January, May and September"),
        ("not an expression", "not an expression"),
    ],
)
def test_an_expression_in_words(cron: str, words: str) -> None:
    assert describe(cron) == words


def test_the_words_never_contradict_the_fires() -> None:
    expressions = random_expressions(examples(2000))

    contradictions = {cron: describe(cron) for cron in expressions if not is_described(cron)}

    assert contradictions == {}


def test_the_comparison_finds_wrong_words() -> None:
    assert agrees("At 02:30 every day", "30 2 * * *")
    for words in (
        "At 02:31 every day",
        "At 02:30 on Monday",
        "At 02:30 in May",
        "Every 30 minutes",
    ):
        assert not agrees(words, "30 2 * * *"), words


def is_described(cron: str) -> bool:
    return agrees(describe(cron), cron)


def agrees(words: str, cron: str) -> bool:
    """Whether words, read as a person does, mean the minutes and the days of the fires."""
    is_time, is_day = read(words)
    minute, hour, *days = cron.split()
    times = {(at.hour, at.minute) for at in fires(f"{minute} {hour} * * *", days=1)}
    dates = {at.date() for at in fires(f"0 0 {' '.join(days)}", days=len(DAYS))}
    meant_times = {(h, m) for h in range(24) for m in range(60) if is_time(h, m)}
    return times == meant_times and dates == {day for day in DAYS if is_day(day)}


def fires(cron: str, *, days: int) -> list[dt.datetime]:
    end, result = START + dt.timedelta(days=days, minutes=1), []
    for at in CronSim(cron, START):
        if at >= end:
            break
        result.append(at)
    return result


# --- reading the words ------------------------------------------------------------------------------


def read(words: str) -> tuple[Callable[[int, int], bool], Callable[[dt.date], bool]]:
    """What the words say: whether a time (hour, minute) and a date are meant."""
    months = set(range(1, 13))
    if match := re.fullmatch(rf"(.*) in ((?:{'|'.join(MONTHS[1:])}).*)", words):
        words, months = match[1], numbers(match[2], MONTHS)
    time_words, _, day_words = words.removesuffix(" every day").partition(" on ")
    is_day = read_days(day_words)
    return read_time(time_words), lambda day: day.month in months and is_day(day)


def read_time(words: str) -> Callable[[int, int], bool]:
    if times := re.findall(r"(\d\d):(\d\d)", words):
        clock = [(int(hour), int(minute)) for hour, minute in times]
        if words.startswith("Every hour from"):
            (first, minute), (last, _) = clock
            return lambda h, m: first <= h <= last and m == minute
        return lambda h, m: (h, m) in clock
    if match := re.fullmatch(r"Every (?:(\d+) )?hours? at minute (\d+)", words):
        hour_step, at_minute = int(match[1] or 1), int(match[2])
        return lambda h, m: h % hour_step == 0 and m == at_minute
    minutes, _, hours = re.sub(" of every hour$", "", words).partition(" in the hour")
    in_hours = numbers(hours.lstrip("s ")) if hours else set(range(24))
    if match := re.fullmatch(r"Every (?:(\d+) )?minutes?", minutes):
        minute_step = int(match[1] or 1)
        return lambda h, m: m % minute_step == 0 and h in in_hours
    in_minutes = numbers(re.sub(r"^At minutes? ", "", minutes))
    return lambda h, m: m in in_minutes and h in in_hours


def read_days(words: str) -> Callable[[dt.date], bool]:
    if not words:
        return lambda day: True
    if " of the month if it is " in words:
        left, right = (read_days(part) for part in words.split(" if it is "))
        return lambda day: left(day) and right(day)
    if ", and on " in words:
        left, right = (read_days(part) for part in words.split(", and on "))
        return lambda day: left(day) or right(day)
    nths = re.findall(rf"the (\w+) ({'|'.join(WEEKDAYS)}) of the month", words)
    rest = re.sub(r"(, | and )?the \w+ \w+day of the month", "", words)
    if nths or re.match("|".join(WEEKDAYS), words):
        weekdays = numbers(rest, WEEKDAYS) if rest else set()
        return lambda day: (
            day.isoweekday() % 7 in weekdays
            or any(
                WEEKDAYS[day.isoweekday() % 7] == name and is_nth(day, nth) for nth, name in nths
            )
        )
    dates = numbers(match[1]) if (match := re.match(r"days? ([\d, to and]*\d)", words)) else set()
    return lambda day: (
        day.day in dates
        or ("the last day" in words and day.day == month_length(day))
        or ("the last weekday" in words and day.day == last_weekday(day))
    )


def numbers(words: str, names: list[str] | None = None) -> set[int]:
    """The numbers of a list such as "1, 3 and 8 to 17"; names count by their position."""
    result: set[int] = set()
    for part in re.split(r", | and ", words):
        ends = [names.index(end) if names else int(end) for end in part.split(" to ")]
        result.update(range(ends[0], ends[-1] + 1))
    return result


def month_length(day: dt.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def is_nth(day: dt.date, nth: str) -> bool:
    if nth == "last":
        return day.day + 7 > month_length(day)
    return (day.day - 1) // 7 == ORDINALS.index(nth)


def last_weekday(day: dt.date) -> int:
    last = day.replace(day=month_length(day))
    return last.day - max(last.isoweekday() - 5, 0)


# --- random expressions -----------------------------------------------------------------------------


def random_expressions(count: int) -> list[str]:
    """Valid expressions, the same ones in every run."""
    chance = random.Random(20271)
    expressions: list[str] = []
    while len(expressions) < count:
        fields = [
            random_field(chance, 0, 59),
            random_field(chance, 0, 23),
            random_field(chance, 1, 31, extra=["L", "LW"]),
            random_field(chance, 1, 12, extra=["JAN", "dec"]),
            random_field(chance, 0, 7, extra=["MON", "sat", "5L", "1#1", "3#5", "0L"]),
        ]
        cron = " ".join(fields)
        try:
            next(CronSim(cron, START))
        except (CronSimError, AssertionError, StopIteration):
            continue
        expressions.append(cron)
    return expressions


def random_field(chance: random.Random, low: int, high: int, extra: list[str] | None = None) -> str:
    if chance.random() < 0.3:
        return "*"
    terms = []
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        first, last = sorted(chance.choices(range(low, high + 1), k=2))
        step = chance.choice([1, 2, 3, 5, 7, 10, 15, 20, 45, 100])
        forms = [
            f"{first}",
            f"{first}-{last}",
            f"{first}-{last}/{step}",
            f"*/{step}",
            f"{first}/{step}",
        ]
        terms.append(chance.choice(forms + (extra or [])))
    return ",".join(terms)
