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
class Bars:
    """The path of bars that have one outcome; the bars of problems are apart, each with its text."""

    outcome: str
    path: str
    text: str = ""


@dataclass(frozen=True)
class Sparkline:
    """The bars, the newest at the right edge, and a text that says the same."""

    bars: list[Bars]
    text: str
    width: int = SLOTS * STEP
    height: int = HEIGHT


def build_sparkline(slots: Sequence[PastSlot], zone: dt.tzinfo) -> Sparkline:
    """Build the sparkline of up to 30 slots, oldest first."""
    successes, problems = "", []
    for position, past in enumerate(slots, SLOTS - len(slots)):
        x = position * STEP + STEP // 2
        if past.outcome == RunOutcome.SUCCEEDED:
            successes += f"M{x} {HEIGHT}v-{LOW}"
        else:
            text = f"{short_text(parse_slot(past.slot), zone)}: {_word(past.outcome)}"
            path = f"M{x} {HEIGHT}V0"
            problems.append(Bars(past.outcome, path, text))
    bars = [Bars(RunOutcome.SUCCEEDED, successes)] if successes else []
    counts = Counter(_word(past.outcome) for past in slots)
    parts = ", ".join(f"{count} {word}" for word, count in counts.most_common())
    noun = "slot" if len(slots) == 1 else f"{len(slots)} slots"
    return Sparkline(bars + problems, f"Last {noun}: {parts}" if slots else "No slots yet")


def _word(outcome: str) -> str:
    return "active" if outcome == RunOutcome.PENDING else outcome_state(outcome).word.lower()
