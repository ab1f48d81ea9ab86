"""Durations as text; `static/runledger.js` updates them in the same format."""

from __future__ import annotations

import datetime as dt


def duration_text(duration: dt.timedelta) -> str:
    """Return a duration in at most two units: “45 s”, “1 min 20 s”, “2 h 5 min”, “3 days 4 h”."""
    seconds = max(0, int(duration.total_seconds()))
    if 0 < duration.total_seconds() < 1:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two(seconds // 60, "min", seconds % 60, "s")
    if seconds < 86400:
        return _two(seconds // 3600, "h", seconds % 3600 // 60, "min")
    days = seconds // 86400
    return _two(days, "day" if days == 1 else "days", seconds % 86400 // 3600, "h")


def precise_duration_text(duration: dt.timedelta) -> str:
    """Return a duration like `duration_text`, but a short one precisely: “340 ms”, “2.4 s”."""
    milliseconds = max(0, round(duration.total_seconds() * 1000))
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 9950:
        return f"{milliseconds / 1000:.1f} s"
    return duration_text(duration)


def ago(seconds: float) -> str:
    """Return a relative time in one unit: “just now”, “40 s ago”, “3 min ago”, “in 2 h”."""
    if seconds < -5:
        return f"in {_one(-seconds)}"
    if seconds < 5:
        return "just now"
    return f"{_one(seconds)} ago"


def due(seconds: float) -> str:
    """Return when something is due, or for how long it has been: “in 2 h”, “now”, “due 3 min ago”.

    What is due waits for the next tick, so that it is “now” for a minute.
    """
    if seconds < -5:
        return ago(seconds)
    return "now" if seconds < 60 else f"due {ago(seconds)}"


def _one(seconds: float) -> str:
    if seconds < 60:
        return f"{int(seconds)} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    if seconds < 86400:
        return f"{int(seconds // 3600)} h"
    days = int(seconds // 86400)
    return f"{days} day" if days == 1 else f"{days} days"


def _two(first: int, first_unit: str, second: int, second_unit: str) -> str:
    if second:
        return f"{first} {first_unit} {second} {second_unit}"
    return f"{first} {first_unit}"
