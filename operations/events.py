"""The timeline: append-only lines, numbered per run without gaps or ties."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from operations.models import EventLevel
from redaction.json import sanitize_json
from redaction.text import sanitize_text

MAX_MESSAGE = 500
MAX_ACTOR = 200


@dataclass(frozen=True)
class Event:
    """One line for a run's timeline; texts are sanitized when it is written."""

    kind: str
    message: str
    level: EventLevel = EventLevel.INFO
    actor: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


_APPEND = """
INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)
SELECT new.run_id,
       1 + COALESCE((SELECT max(sequence) FROM operation_run_events WHERE run_id = new.run_id), 0),
       clock_timestamp(), new.kind, new.level, new.message, new.data, new.actor
FROM jsonb_to_recordset(%s::jsonb)
     AS new(run_id bigint, kind text, level text, message text, data jsonb, actor text)
ORDER BY new.run_id
ON CONFLICT (run_id, sequence) DO NOTHING
RETURNING run_id
"""


def append_events(events: Iterable[tuple[int, Event]]) -> None:
    """Write (run id, event) pairs, in order; a bounded number of statements for any number of runs.

    Two writers that want the same number of one run: the later one takes the next.
    """
    waiting: dict[int, list[Event]] = defaultdict(list)
    for run_id, event in events:
        waiting[run_id].append(event)
    while waiting:
        for run_id in _append_first_of_each(waiting):
            waiting[run_id].pop(0)
        waiting = defaultdict(list, {run_id: rest for run_id, rest in waiting.items() if rest})


def _append_first_of_each(waiting: Mapping[int, list[Event]]) -> list[int]:
    rows = [_row(run_id, events[0]) for run_id, events in waiting.items()]
    with connection.cursor() as cursor:
        cursor.execute(_APPEND, [json.dumps(rows)])
        return [run_id for (run_id,) in cursor.fetchall()]


def _row(run_id: int, event: Event) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "kind": event.kind,
        "level": event.level,
        "message": sanitize_text(event.message, max_length=MAX_MESSAGE),
        "data": sanitize_json(dict(event.data), max_depth=8, max_bytes=8192),
        "actor": sanitize_text(event.actor, max_length=MAX_ACTOR),
    }
