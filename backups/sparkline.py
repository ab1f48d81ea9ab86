"""The last slots of a tenant as a row of small bars: the geometry of an SVG, and its text."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from backups.history import PastSlot
from operations.context import parse_slot
from operations.presentation.summary import outcome_state
from operations.states import RunOutcome
from tenancy.times import short_text

#: The number of slots, and the width of each.
SLOTS, STEP = 30, 5
#: A problem is taller than a success, so that the color is not the only difference.
HEIGHT, LOW = 20, 10


@dataclass(frozen=True)
class Bar:
    """One slot."""

    x: int
    y: int
    height: int
    outcome: str
    text: str


@dataclass(frozen=True)
class Sparkline:
    """The bars, the newest at the right edge, and a text that says the same."""

    bars: list[Bar]
    text: str
    width: int = SLOTS * STEP
    height: int = HEIGHT
    bar: int = STEP - 2


def build_sparkline(slots: Sequence[PastSlot], zone: dt.tzinfo) -> Sparkline:
    """Build the sparkline of up to 30 slots, oldest first."""
    left = SLOTS - len(slots)
    bars = []
    for position, past in enumerate(slots):
        height = LOW if past.outcome == RunOutcome.SUCCEEDED else HEIGHT
        bars.append(
            Bar(
                x=(left + position) * STEP,
                y=HEIGHT - height,
                height=height,
                outcome=past.outcome,
                text=f"{short_text(parse_slot(past.slot), zone)}: {_word(past.outcome)}",
            )
        )
    counts = Counter(_word(past.outcome) for past in slots)
    parts = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    noun = "slot" if len(slots) == 1 else f"{len(slots)} slots"
    return Sparkline(bars, f"Last {noun}: {parts}" if slots else "No slots yet")


def _word(outcome: str) -> str:
    return "active" if outcome == RunOutcome.PENDING else outcome_state(outcome).word.lower()
