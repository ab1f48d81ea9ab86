"""The bar chart of the last 24 hours: turns counts into the geometry of an SVG."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from operations.states import RunOutcome

HOURS = 24
HEIGHT = 72
SLOT = 12
BAR = 9
#: The order of the outcomes from the bottom of a bar to the top.
STACK = (
    RunOutcome.SUCCEEDED,
    RunOutcome.PARTIALLY_SUCCEEDED,
    RunOutcome.FAILED,
    RunOutcome.BLOCKED,
    RunOutcome.CANCELLED,
    RunOutcome.PENDING,
)


@dataclass(frozen=True)
class Block:
    """The part of a bar for one outcome."""

    key: str
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """The bar of one hour; `text` describes it without colors."""

    x: int
    text: str
    blocks: list[Block]


@dataclass(frozen=True)
class Chart:
    """The bars, the sums by outcome, and a text that describes the chart."""

    bars: list[Bar]
    sums: list[tuple[str, str, int]]
    text: str
    width: int = (HOURS + 1) * SLOT
    height: int = HEIGHT
    bar: int = BAR

    @property
    def total(self) -> int:
        return sum(count for _, _, count in self.sums)


def build_day_chart(rows: Iterable[tuple[dt.datetime, str, int]], now: dt.datetime) -> Chart:
    """Build the chart of (hour, outcome, count) rows up to the hour of `now`."""
    hours: dict[dt.datetime, Counter[str]] = {}
    for hour, outcome, count in rows:
        hours.setdefault(hour, Counter())[outcome] += count
    tallest = max((sum(counts.values()) for counts in hours.values()), default=0)
    first = now.replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=HOURS)
    bars = []
    for index in range(HOURS + 1):
        hour = first + dt.timedelta(hours=index)
        bars.append(_bar(hour, index, hours.get(hour, Counter()), tallest))
    totals: Counter[str] = Counter()
    for counts in hours.values():
        totals.update(counts)
    sums = [
        (outcome.value, _label(outcome), totals[outcome]) for outcome in STACK if totals[outcome]
    ]
    return Chart(bars, sums, f"In the last 24 hours: {_counts_text(totals)}.")


def _bar(hour: dt.datetime, index: int, counts: Counter[str], tallest: int) -> Bar:
    blocks: list[Block] = []
    top = float(HEIGHT)
    for outcome in STACK:
        if counts[outcome]:
            height = HEIGHT * counts[outcome] / tallest
            top -= height
            blocks.append(Block(outcome, index * SLOT, round(top, 2), round(height, 2)))
    return Bar(index * SLOT, f"{hour:%H}:00 UTC: {_counts_text(counts)}", blocks)


def _counts_text(counts: Counter[str]) -> str:
    texts = [f"{counts[key]:,} {_label(key).lower()}" for key in STACK if counts[key]]
    return ", ".join(texts) or "no runs"


def _label(outcome: RunOutcome) -> str:
    return "Active" if outcome is RunOutcome.PENDING else outcome.label
