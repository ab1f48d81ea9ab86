"""The last 24 hours as bars: numbers in, the geometry of an SVG out."""

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
#: From the foot of a bar to its top.
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
    """One outcome within one bar."""

    key: str
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One hour; `words` tells it without colors."""

    x: int
    words: str
    blocks: list[Block]


@dataclass(frozen=True)
class Chart:
    """The bars, the sums by outcome, and all of it in one sentence."""

    bars: list[Bar]
    sums: list[tuple[str, str, int]]
    words: str
    width: int = (HOURS + 1) * SLOT
    height: int = HEIGHT
    bar: int = BAR

    @property
    def total(self) -> int:
        return sum(count for _, _, count in self.sums)


def build_day_chart(numbers: Iterable[tuple[dt.datetime, str, int]], now: dt.datetime) -> Chart:
    """The chart of (hour, outcome, count) rows that end with the hour of `now`."""
    hours: dict[dt.datetime, Counter[str]] = {}
    for hour, outcome, count in numbers:
        hours.setdefault(hour, Counter())[outcome] += count
    tallest = max((sum(counts.values()) for counts in hours.values()), default=0)
    first = now.replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=HOURS)
    bars = [
        _bar(at, index, hours.get(at, Counter()), tallest)
        for index in range(HOURS + 1)
        for at in [first + dt.timedelta(hours=index)]
    ]
    sums = _sums(hours.values())
    told = ", ".join(f"{count:,} {label.lower()}" for _, label, count in sums) or "no runs"
    return Chart(bars, sums, f"In the last 24 hours: {told}.")


def _bar(at: dt.datetime, index: int, counts: Counter[str], tallest: int) -> Bar:
    blocks: list[Block] = []
    top = float(HEIGHT)
    for outcome in STACK:
        if height := HEIGHT * counts[outcome] / tallest if counts[outcome] else 0:
            top -= height
            blocks.append(Block(outcome, index * SLOT, round(top, 2), round(height, 2)))
    told = ", ".join(f"{counts[o]:,} {_label(o).lower()}" for o in STACK if counts[o])
    return Bar(index * SLOT, f"{at:%H}:00 UTC: {told or 'no runs'}", blocks)


def _sums(hours: Iterable[Counter[str]]) -> list[tuple[str, str, int]]:
    sums: Counter[str] = Counter()
    for counts in hours:
        sums.update(counts)
    return [(outcome.value, _label(outcome), sums[outcome]) for outcome in STACK if sums[outcome]]


def _label(outcome: RunOutcome) -> str:
    return "Active" if outcome is RunOutcome.PENDING else outcome.label
