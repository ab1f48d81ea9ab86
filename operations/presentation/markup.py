"""Times, icons and states as HTML, for the template tags and for the rows that functions write.

What is formatted here without escaping are numbers, dates and names of the code. Everything else is
escaped with `escape`.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from typing import Any

from django.templatetags.static import static
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from operations.presentation.charts import Chart
from operations.presentation.summary import State
from tenancy.clock import request_now
from tenancy.times import DAY, exact_text, short_text, title_text
from web.durations import ago, due, duration_text

EMPTY = "\N{EN DASH}"
#: The attribute of an age, which is updated on the page.
_AGE, _DUE = " data-age", ' data-age="due"'


@functools.cache
def icon(name: str) -> SafeString:
    """An icon of the sprite, hidden from screen readers."""
    url = f"{static('vendor/tabler-icons/icons.svg')}#{name}"
    return mark_safe(  # noqa: S308 - the names are those of the code
        f'<svg class="icon" aria-hidden="true"><use href="{escape(url)}" /></svg>'
    )


def copyable(text: str, label: str = "") -> SafeString:
    """A text with a button that copies it."""
    shown, name = escape(text), ""
    if label:
        name = f'<span class="text-secondary">{escape(label)}</span> '
    return mark_safe(  # noqa: S308 - both are escaped
        f'<span class="copyable">{name}<code>{shown}</code><button type="button" class="copy" data-copy="{shown}"'
        f' aria-label="Copy">{icon("copy")}</button></span>'
    )


def badge(state: State) -> SafeString:
    """A state with its icon."""
    return mark_safe(  # noqa: S308 - the words of states are those of the code
        f'<span class="state" data-outcome="{escape(state.key)}">'
        f"{icon(state.icon)}{escape(state.word)}</span>"
    )


def compact_time(moment: dt.datetime, text: str, attributes: str = "") -> str:
    """A time for lists: `static/runledger.js` adds the title with the exact one when it is pointed at."""
    at = moment.astimezone(dt.UTC).replace(microsecond=0, tzinfo=None).isoformat()
    return f"<time{attributes} datetime={at}Z>{text}</time>"


def compact_when(moment: dt.datetime | None, zone: dt.tzinfo) -> str:
    """What `when` shows, with one element for the time."""
    if moment is None:
        return EMPTY
    short, age = short_text(moment, zone), ago((request_now() - moment).total_seconds())
    if is_recent(moment):
        return f"{compact_time(moment, age, _AGE)}<small>{short}</small>"
    return f"{compact_time(moment, short)}<small>{age}</small>"


def time_element(
    moment: dt.datetime, zone: dt.tzinfo, text: str, attributes: str = ""
) -> SafeString:
    """A time whose title has the exact one, in UTC and in the zone of the page."""
    at = moment.astimezone(dt.UTC).isoformat()
    return mark_safe(  # noqa: S308 - only dates and the names of zones
        f'<time{attributes} datetime="{at}" title="{title_text(moment, zone)}">{text}</time>'
    )


def is_recent(moment: dt.datetime) -> bool:
    """Whether pages show the age of this time first."""
    return abs(request_now() - moment) < DAY


def age_element(moment: dt.datetime, zone: dt.tzinfo) -> SafeString:
    """The age of a time; it is updated on the page."""
    text = ago((request_now() - moment).total_seconds())
    return time_element(moment, zone, text, " data-age")


def short_element(moment: dt.datetime, zone: dt.tzinfo) -> SafeString:
    """A time such as “3 Nov, 02:00”."""
    return time_element(moment, zone, short_text(moment, zone))


def due_element(moment: dt.datetime, zone: dt.tzinfo) -> SafeString:
    """When something is due; it is updated on the page."""
    text = due((request_now() - moment).total_seconds())
    return time_element(moment, zone, text, _DUE)


def when(moment: dt.datetime | None, zone: dt.tzinfo, *, is_due: bool = False) -> SafeString | str:
    """A time with the age below; within a day, the age comes first.

    `is_due`: it is the time of what has not happened yet.
    """
    if moment is None:
        return EMPTY
    words, attribute = (due, _DUE) if is_due else (ago, _AGE)
    age = words((request_now() - moment).total_seconds())
    first = compact_time(moment, short_text(moment, zone))
    second = compact_time(moment, age, attribute)
    if is_recent(moment):
        first, second = second, first
    return mark_safe(f'{first}<span class="sub">{second}</span>')  # noqa: S308 - only times


def clock_time(moment: dt.datetime, zone: dt.tzinfo, precision: str = "seconds") -> SafeString:
    """The time of day, with the exact time as its title."""
    text = moment.astimezone(zone).time().isoformat(timespec=precision)
    return time_element(moment, zone, text)


def exact(moment: dt.datetime | None, zone: dt.tzinfo) -> SafeString | str:
    """An exact time with its zone."""
    return time_element(moment, zone, exact_text(moment, zone)) if moment else EMPTY


def clock(since: dt.datetime) -> SafeString:
    """The time since a moment; it is updated on the page every second."""
    text = duration_text(request_now() - since)
    at = since.astimezone(dt.UTC).isoformat()
    return mark_safe(f'<time data-clock datetime="{at}">{text}</time>')  # noqa: S308 - only times


def chart(drawn: Chart) -> SafeString:
    """A chart of stacked bars; each bar says its text, the chart its sums."""
    size = f'width="{drawn.bar}" height="'
    bars = "".join(
        f"<g><title>{escape(bar.text)}</title>"
        f'<rect class="chart-slot" x="{bar.x}" y="0" {size}{drawn.height}" />'
        + "".join(
            f'<rect data-outcome="{block.key}" x="{block.x}" y="{block.y:g}"'
            f' {size}{block.height:g}" />'
            for block in bar.blocks
        )
        + "</g>"
        for bar in drawn.bars
    )
    return mark_safe(  # noqa: S308 - each text is escaped
        f'<svg class="chart" viewBox="0 0 {drawn.width} {drawn.height}"'
        f' preserveAspectRatio="none" role="img" aria-label="{escape(drawn.text)}">{bars}</svg>'
    )


def indented_json(value: Any) -> str:
    """JSON for a reader; the value has no secrets."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def span(value: dt.timedelta | None) -> str:
    """A duration in words: “1 min 20 s”."""
    return duration_text(value) if value is not None else EMPTY
