"""The timeline of a run: recorded, published, claimed, its phases, and its end, with durations.

The stages come from the row of the run and a bounded number of its events. What happens within a
stage, such as a wait or a request to cancel, is a mark.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from operations.models import EventLevel, OperationRun
from operations.presentation.summary import state_of
from tenancy.db import run_prepared
from web.durations import precise_duration_text

#: The events that the timeline shows; the others are lines of the log only.
STAGE_KINDS = ("phase", "cancelled")
MARK_KINDS = (
    "wait",
    "publish_refused",
    "published_again",
    "cancel_requested",
    "late_write_refused",
    "retry_given_up",
    "recovered",
    "acknowledged",
)
SHOWN_KINDS = STAGE_KINDS + MARK_KINDS
#: A worker adds at most 200 phases and waits.
MAX_EVENTS = 300
#: Phases in a row are merged if there are at least this many, each with at most this share.
MIN_MERGED = 3
SHORT_SHARE = 0.02
#: The width of the whole timeline in units of the bars.
WIDTH = 1000


@dataclass(frozen=True)
class Stage:
    """One line of the timeline.

    `duration` is the time until the next stage, or that of a mark; it is None for the current
    stage, which `is_open`, and for what takes no time. `start` and `width` place the bar.
    """

    key: str
    label: str
    at: dt.datetime
    level: str = EventLevel.INFO
    note: str = ""
    #: How the run ended, for the last stage.
    outcome: str = ""
    is_mark: bool = False
    is_open: bool = False
    duration: dt.timedelta | None = None
    start: int = 0
    width: int = 0


@dataclass(frozen=True)
class LineCounts:
    """How many lines the log of a run has.

    Lines are numbered without gaps, so `last` says how many there should be.
    """

    lines: int = 0
    last: int = 0
    matching: int = 0
    deduplicated: int = 0
    #: The newest lines, as many as were asked for; the first one first.
    newest: Sequence[EventRow] = ()


class EventRow(NamedTuple):
    """What the page of a run shows of an event."""

    sequence: int
    kind: str
    at: dt.datetime
    level: str
    message: str
    data: dict[str, Any]


_TIMELINE = """
SELECT counted.*, event.sequence, event.kind, event.at, event.level, event.message, event.data
FROM (SELECT count(*) AS line_count, max(sequence) AS line_last,
             count(*) FILTER (WHERE level = ANY(%(levels)s) AND message ILIKE %(text)s) AS matching,
             count(*) FILTER (WHERE kind = 'joined') AS deduplicated
      FROM operation_run_events WHERE run_id = %(run)s) counted
LEFT JOIN LATERAL (
    (SELECT * FROM operation_run_events WHERE run_id = %(run)s AND kind IN ({kinds})
     ORDER BY sequence LIMIT %(limit)s)
    UNION
    (SELECT * FROM operation_run_events WHERE run_id = %(run)s
     ORDER BY sequence DESC LIMIT %(newest)s)) event ON true
ORDER BY event.sequence
"""


def load_timeline(
    run: OperationRun, levels: Sequence[str] = tuple(EventLevel), text: str = "", *, newest: int = 0
) -> tuple[list[Stage], LineCounts]:
    """Load the timeline of a run, the number of its lines and the newest of them, with one query.

    The levels and the text are those of the lines that match. After retention, the row of the run
    is all that is left.
    """
    pattern = re.sub(r"([%_\\])", r"\\\1", text)
    values = {
        "run": run.pk,
        "limit": MAX_EVENTS,
        "newest": newest,
        "levels": list(map(str, levels)),
        "text": f"%{pattern}%",
    }
    kinds = ", ".join(f"'{kind}'" for kind in SHOWN_KINDS)
    rows = run_prepared(_TIMELINE.format(kinds=kinds), values)
    lines, last, matching, deduplicated = rows[0][:4]
    columns = [row[4:] for row in rows if row[4] is not None]
    events = [EventRow._make((*others, json.loads(data))) for *others, data in columns]
    shown = [event for event in events if event.kind in SHOWN_KINDS][:MAX_EVENTS]
    counts = LineCounts(
        lines, last or 0, matching, deduplicated, events[-newest:] if newest else []
    )
    return _build_timeline(run, shown), counts


def _build_timeline(run: OperationRun, events: list[EventRow]) -> list[Stage]:
    """Return the stages and marks of a run in the order of their times."""
    stages = [
        Stage("recorded", "Recorded", run.created_at, note=f"Requested by {run.initiator_name}")
    ]
    if published_at := _first_published_at(run, events):
        stages.append(Stage("published", "Published", published_at, note=_queue_of(run)))
    if run.started_at:
        stages.append(Stage("claimed", "Claimed", run.started_at, note=run.worker))
    stages += [
        Stage("phase", event.message, _at(run, event)) for event in events if event.kind == "phase"
    ]
    if run.completed_at:
        state = state_of(run)
        note = f"in total {precise_duration_text(run.completed_at - run.created_at)}"
        # A run that was cancelled before it started has no request to cancel.
        note = next((event.message for event in events if event.kind == "cancelled"), note)
        end = Stage("ended", state.word, run.completed_at, note=note, outcome=state.key)
        stages.append(end)
    stages = _with_durations(run, stages)
    total = stages[-1].at - stages[0].at
    stages = _with_bars(run, _merge_short_phases(stages, total))
    marks = [_mark(run, event) for event in events if event.kind in MARK_KINDS]
    return _merge_waits(sorted([*stages, *marks], key=lambda each: each.at))


def _first_published_at(run: OperationRun, events: list[EventRow]) -> dt.datetime | None:
    """When the broker accepted the first message; the row has the time of the last one."""
    times = [
        dt.datetime.fromisoformat(event.data["before"])
        for event in events
        if event.kind == "published_again" and "before" in event.data
    ]
    published_at = min(times, default=run.published_at)
    if published_at and run.started_at:
        # A worker can claim a run before the time of its message is stored.
        return min(published_at, run.started_at)
    return published_at


def _queue_of(run: OperationRun) -> str:
    return f"to the queue “{run.catalog.queue}”" if run.catalog else ""


def _at(run: OperationRun, event: EventRow) -> dt.datetime:
    """When the event happened: a worker writes its reports later, with the time since the claim."""
    after = event.data.get("after_ms")
    if after is None or run.started_at is None:
        return event.at
    return min(run.started_at + dt.timedelta(milliseconds=after), run.completed_at or event.at)


def _mark(run: OperationRun, event: EventRow) -> Stage:
    wait = event.data.get("wait_ms")
    return Stage(
        event.kind,
        str(event.data.get("cause", event.message)),
        _at(run, event),
        level=event.level,
        is_mark=True,
        duration=dt.timedelta(milliseconds=wait) if wait else None,
    )


def _merge_waits(lines: list[Stage]) -> list[Stage]:
    """Merge waits that follow each other and have the same cause into one mark with their sum."""
    merged: list[Stage] = []
    count = 1
    for line in lines:
        last = merged[-1] if merged else None
        if last and line.key == "wait" and (last.key, last.label) == (line.key, line.label):
            count += 1
            duration = (last.duration or dt.timedelta()) + (line.duration or dt.timedelta())
            merged[-1] = replace(last, duration=duration, note=f"{count} waits")
        else:
            merged.append(line)
            count = 1
    return merged


def _merge_short_phases(stages: list[Stage], total: dt.timedelta) -> list[Stage]:
    """Merge phases in a row that together would be many lines for next to no time."""
    merged: list[Stage] = []
    short: list[Stage] = []
    for stage in [*stages, None]:
        if stage and stage.key == "phase" and not stage.is_open and _is_short(stage, total):
            short.append(stage)
            continue
        if len(short) >= MIN_MERGED:
            label = f"{len(short)} short phases"
            duration = sum((each.duration or dt.timedelta() for each in short), dt.timedelta())
            note = f"{short[0].label} … {short[-1].label}"
            short = [replace(short[0], label=label, note=note, duration=duration)]
        merged += short
        short = []
        if stage:
            merged.append(stage)
    return merged


def _is_short(stage: Stage, total: dt.timedelta) -> bool:
    return stage.duration is not None and stage.duration <= total * SHORT_SHARE


def _with_durations(run: OperationRun, stages: list[Stage]) -> list[Stage]:
    """Set the time until the next stage; the last stage of an active run is open."""
    following = [stage.at for stage in stages[1:]]
    timed = [
        replace(stage, duration=at - stage.at) for stage, at in zip(stages, following, strict=False)
    ]
    return [*timed, replace(stages[-1], is_open=run.is_active)]


def _with_bars(run: OperationRun, stages: list[Stage]) -> list[Stage]:
    """Place the bars; the open stage gets the last sixth, because its end is not known."""
    first, last = stages[0].at, stages[-1].at
    total = (last - first) * 1.2 if run.is_active else last - first
    if not total:
        return stages
    placed = []
    for stage in stages:
        start = round(WIDTH * ((stage.at - first) / total))
        if stage.is_open:
            width = WIDTH - start
        else:
            duration = stage.duration or dt.timedelta()
            width = max(2, round(WIDTH * (duration / total))) if duration else 0
        placed.append(replace(stage, start=min(start, WIDTH - 2), width=width))
    return placed
