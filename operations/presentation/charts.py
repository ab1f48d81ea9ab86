"""Bar charts of outcomes by hour or by day: counts become the geometry of an SVG."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from operations.presentation.hours import HOURS
from operations.states import RunOutcome

HEIGHT = 72
SLOT = 12
BAR = 9
#: The key of what is still to come; it is no outcome.
TO_COME = "to_come"
#: The keys from the bottom of a bar to the top.
STACK: tuple[str, ...] = (
    RunOutcome.SUCCEEDED,
    RunOutcome.PARTIALLY_SUCCEEDED,
    RunOutcome.FAILED,
    RunOutcome.BLOCKED,
    RunOutcome.CANCELLED,
    RunOutcome.PENDING,
    TO_COME,
)
_LABELS: dict[str, str] = {
    **{outcome.value: outcome.label for outcome in RunOutcome},
    RunOutcome.PENDING: "Active",
    TO_COME: "To come",
}


@dataclass(frozen=True)
class Block:
    """The part of a bar for one outcome."""

    key: str
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One bar; `text` describes it without colors."""

    x: int
    text: str
    blocks: list[Block]


@dataclass(frozen=True)
class Chart:
    """The bars, the sums by outcome, and a text that describes the chart."""

    bars: list[Bar]
    sums: list[tuple[str, str, int]]
    text: str
    width: int
    height: int = HEIGHT
    bar: int = BAR

    @property
    def total(self) -> int:
        return sum(count for _, _, count in self.sums)


def build_day_chart(
    rows: Iterable[tuple[dt.datetime, str, int]], last: dt.datetime, zone: dt.tzinfo
) -> Chart:
    """Build the chart of (hour, outcome, count) rows up to the hour `last`, labeled in a zone."""
    hours: dict[dt.datetime, Counter[str]] = {}
    for hour, outcome, count in rows:
        hours.setdefault(hour, Counter())[outcome] += count
    shown = [last - dt.timedelta(hours=HOURS - index) for index in range(HOURS + 1)]
    bars = [(f"{hour.astimezone(zone):%H:%M}", hours.get(hour, Counter())) for hour in shown]
    return build_chart(bars, title="In the last 24 hours", nothing="no runs")


def build_chart(
    bars: Sequence[tuple[str, Mapping[str, int]]], *, title: str, nothing: str
) -> Chart:
    """Build a chart of bars with their label and their counts; `nothing` names an empty bar."""
    tallest = max((sum(counts.values()) for _, counts in bars), default=0)
    totals: Counter[str] = Counter()
    for _, counts in bars:
        totals.update(counts)
    drawn = [
        Bar(
            index * SLOT,
            f"{label}: {_counts_text(counts) or nothing}",
            _blocks(index * SLOT, counts, tallest),
        )
        for index, (label, counts) in enumerate(bars)
    ]
    sums = [(key, _LABELS[key], totals[key]) for key in STACK if totals[key]]
    text = f"{title}: {_counts_text(totals) or nothing}."
    return Chart(drawn, sums, text, width=len(bars) * SLOT)


def _blocks(x: int, counts: Mapping[str, int], tallest: int) -> list[Block]:
    blocks: list[Block] = []
    top = float(HEIGHT)
    for key in STACK:
        if count := counts.get(key, 0):
            height = HEIGHT * count / tallest
            top -= height
            blocks.append(Block(str(key), x, round(top, 2), round(height, 2)))
    return blocks


def _counts_text(counts: Mapping[str, int]) -> str:
    texts = [f"{counts[key]:,} {_LABELS[key].lower()}" for key in STACK if counts.get(key)]
    return ", ".join(texts)
