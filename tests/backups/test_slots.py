"""The slots of schedules: a table of cron expressions on unusual days of many zones."""

import datetime as dt
import re
import time

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given, settings
from hypothesis import strategies as st

from backups.slots import (
    latest_slot,
    next_skipped_day,
    next_slot,
    slots_between,
    spread,
    validate_cron,
    zone_of,
)
from tests.support.factories.backups import utc

DAY = dt.timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "cron", "after", "expected"),
    [
        # The hour is skipped: the first instant after the gap.
        ("America/New_York", "30 2 * * *", "2026-03-08T05:00", "2026-03-08T07:00"),
        ("America/New_York", "0 2 * * *", "2026-03-08T05:00", "2026-03-08T07:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "0 3 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "30 2 * * *", "2026-03-29T01:00", "2026-03-30T00:30"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T12:00", "2026-10-03T15:30"),
        ("America/Havana", "0 0 * * *", "2026-03-07T12:00", "2026-03-08T05:00"),
        ("Africa/Cairo", "0 0 * * *", "2026-04-23T12:00", "2026-04-23T22:00"),
        ("America/Santiago", "30 0 * * *", "2026-09-05T12:00", "2026-09-06T04:00"),
        ("Antarctica/Troll", "30 1 * * *", "2026-03-28T12:00", "2026-03-29T01:00"),
        # A whole day is skipped: Apia had no 30 December 2011.
        ("Pacific/Apia", "30 2 * * *", "2011-12-29T12:30", "2011-12-30T10:00"),
        ("Pacific/Apia", "30 2 * * *", "2011-12-30T10:00", "2011-12-30T12:30"),
        # The hour is repeated: once, at the first occurrence.
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00", "2026-11-01T05:30"),
        ("America/New_York", "30 1 * * *", "2026-11-01T05:30", "2026-11-02T06:30"),
        ("America/New_York", "30 1 * * *", "2026-11-01T06:10", "2026-11-02T06:30"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T01:05", "2026-10-26T01:30"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T12:00", "2026-04-04T14:45"),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T14:45", "2026-04-05T15:15"),
        # Morocco suspends daylight saving time for Ramadan.
        ("Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00", "2026-02-15T01:30"),
        ("Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00", "2026-03-22T02:00"),
        # No daylight saving time; an offset of a quarter hour; an abolished one.
        ("Asia/Kathmandu", "0 0 * * *", "2026-03-08T00:00", "2026-03-08T18:15"),
        ("Asia/Tehran", "0 0 * * *", "2026-03-21T00:00", "2026-03-21T20:30"),
        ("UTC", "30 2 * * *", "2026-03-29T01:00", "2026-03-29T02:30"),
        # Days that are not in every month, and days of the week.
        ("UTC", "0 0 31 * *", "2026-03-31T00:00", "2026-05-31T00:00"),
        ("UTC", "0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("UTC", "0 0 13 * 5", "2026-03-01T00:00", "2026-03-06T00:00"),
        ("Europe/Berlin", "0 4 L * *", "2026-02-01T00:00", "2026-02-28T03:00"),
    ],
)
def test_the_next_slot_of_a_schedule(zone: str, cron: str, after: str, expected: str) -> None:
    slot = next_slot(cron, zone, dt.datetime.fromisoformat(after).replace(tzinfo=dt.UTC))

    assert slot == dt.datetime.fromisoformat(expected).replace(tzinfo=dt.UTC)
    assert slot.tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("zone", "cron", "start", "hours", "count"),
    [
        ("America/New_York", "0 * * * *", (2026, 11, 1, 0), 25, 25),
        ("America/New_York", "0 * * * *", (2026, 3, 8, 0), 25, 25),
        ("Europe/Berlin", "*/30 * * * *", (2026, 10, 24, 22), 25, 50),
        ("Europe/Berlin", "* * * * *", (2026, 3, 29, 0), 2, 120),
        ("Australia/Lord_Howe", "0 * * * *", (2026, 10, 3, 12), 12, 12),
        ("Africa/Cairo", "*/15 * * * *", (2026, 4, 23, 20), 4, 16),
    ],
)
def test_a_wildcard_schedule_follows_elapsed_time(
    zone: str, cron: str, start: tuple[int, ...], hours: int, count: int
) -> None:
    begin = utc(*start)

    slots = slots_between(cron, zone, begin, begin + dt.timedelta(hours=hours), 1000)

    # Lord Howe changes its clocks by half an hour, so one hour has only half of its minutes.
    assert len(slots) in (count, count - 1)
    assert slots == sorted(set(slots))


def test_two_times_that_a_gap_merges_are_one_slot() -> None:
    slots = slots_between("0 2,3 * * *", "Europe/Berlin", utc(2026, 3, 29), utc(2026, 3, 29, 12), 9)

    assert slots == [utc(2026, 3, 29, 1)]


@settings(deadline=None, max_examples=60)
@given(
    zone=st.sampled_from(
        [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "UTC",
            "America/Havana",
            "Africa/Cairo",
            "Antarctica/Troll",
            "Africa/Casablanca",
        ]
    ),
    cron=st.sampled_from(
        [
            "30 2 * * *",
            "0 0 * * *",
            "0 * * * *",
            "*/15 * * * *",
            "30 1 * * 0",
            "45 1 29 * *",
            "0 2,3 * * *",
            "30 0 1 */3 *",
        ]
    ),
    start=st.datetimes(utc(2024, 1, 1).replace(tzinfo=None), utc(2028, 1, 1).replace(tzinfo=None)),
    minutes=st.integers(0, 60 * 24 * 8),
)
def test_the_slots_do_not_depend_on_the_start(
    zone: str, cron: str, start: dt.datetime, minutes: int
) -> None:
    begin = start.replace(second=0, microsecond=0, tzinfo=dt.UTC)
    middle = begin + dt.timedelta(minutes=minutes)
    end = begin + 9 * DAY

    whole = slots_between(cron, zone, begin, end, 10_000)

    assert [slot for slot in whole if slot > middle] == slots_between(
        cron, zone, middle, end, 10_000
    )
    assert latest_slot(cron, zone, begin, end) == (whole[-1] if whole else None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "0 * * * * *",
        "@daily",
        "60 * * * *",
        "0 24 * * *",
        "0 0 31 2 *",
        "0 0 30-31 2 *",
        "0 0 31 4,6 *",
        "*/0 * * * *",
        "5-1 * * * *",
        "a b c d e",
        "0 0 * * L",
        "\x00 * * * *",
        "0 0 ² * *",
        "0," * 60 + "0 * * * *",
    ],
)
def test_an_invalid_expression_is_rejected(text: str) -> None:
    with pytest.raises(ValidationError):
        validate_cron(text)


@pytest.mark.parametrize("text", ["* * * * *", "0 0 29 2 *", "0 0 * 2 MON#5", "5 4 LW * *"])
def test_a_valid_expression_is_accepted(text: str) -> None:
    validate_cron(text)


@settings(deadline=None)
@given(st.text(alphabet="0123456789*/,-#LWAMONSU ²x", max_size=40))
def test_any_text_is_accepted_or_rejected_without_an_error(text: str) -> None:
    try:
        validate_cron(text)
    except ValidationError:
        return
    next_slot(text, "Europe/Berlin", utc(2026, 1, 1))


@pytest.mark.parametrize("zone", ["../../etc/passwd", "localtime", "posixrules", "", "x" * 5000])
def test_an_unknown_time_zone_is_rejected(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone_of(zone)


@pytest.mark.parametrize(
    ("cron", "zone", "expected"),
    [
        ("*/30 2 * * *", "Europe/Berlin", dt.date(2027, 3, 28)),
        ("* 2 * * *", "America/New_York", dt.date(2027, 3, 14)),
        ("*/15 2 * * 6", "America/New_York", None),
        ("30 2 * * *", "Europe/Berlin", None),
        ("*/30 1-3 * * *", "Europe/Berlin", None),
        ("*/30 2 * * *", "UTC", None),
        ("*/30 0 * * *", "Africa/Cairo", dt.date(2027, 4, 30)),
    ],
)
def test_a_day_without_a_slot_is_known(cron: str, zone: str, expected: dt.date | None) -> None:
    assert next_skipped_day(cron, zone, utc(2026, 11, 29)) == expected


def test_the_latest_slot_of_many_years_is_found_quickly() -> None:
    begun = time.process_time()

    latest = latest_slot("* * * * *", "Europe/Berlin", utc(2000, 1, 1), utc(2026, 3, 29, 1, 0))

    assert latest == utc(2026, 3, 29, 1, 0)
    assert time.process_time() - begun < 10  # milliseconds; minutes slot by slot


def test_the_latest_slot_of_a_rare_schedule_is_found() -> None:
    latest = latest_slot("0 0 * 2 MON#5", "UTC", utc(1990, 1, 1), utc(2026, 1, 1))

    assert latest == utc(2016, 2, 29)


def test_the_spread_is_stable_and_at_most_a_tenth_of_the_interval() -> None:
    spreads = [spread("* * * * *", "UTC", str(n), utc(2026, 1, 1)) for n in range(100)]
    daily = [spread("0 2 * * *", "UTC", str(n), utc(2026, 1, 1)) for n in range(100)]

    assert max(spreads) < dt.timedelta(seconds=6)
    assert dt.timedelta(minutes=4) < max(daily) < dt.timedelta(minutes=5)
    assert daily[7] == spread("0 2 * * *", "UTC", "7", utc(2027, 1, 1))


@pytest.mark.parametrize(
    ("cron", "equivalent"),
    [
        ("@daily", "0 0 * * *"),
        ("@Weekly", "0 0 * * 0"),
        ("0 22-2 * * *", "22-23,0-2"),
        ("50-10 * * * *", "50-59,0-10"),
        ("0 0 * * FRI-MON", "FRI-SAT,SUN-MON"),
        ("0 0 * * 6-0", "6,0"),
        ("0 0 * 11-2 *", "11-12,1-2"),
        ("0 0 25-5 * *", "25-31,1-5"),
        ("0 0 2-2/1 * *", "2"),
        ("0 0 15W * *", "LW"),
    ],
)
def test_a_spelling_of_another_scheduler_is_rejected_with_its_equivalent(
    cron: str, equivalent: str
) -> None:
    with pytest.raises(ValidationError, match=f"Write {re.escape(equivalent)} "):
        validate_cron(cron)


@pytest.mark.parametrize(
    "cron", ["0 8-17/3 * * MON-FRI", "0 0 LW * *", "0 0 * * 5L,1#1", "0 0 1 JAN *"]
)
def test_other_spellings_are_accepted(cron: str) -> None:
    validate_cron(cron)
