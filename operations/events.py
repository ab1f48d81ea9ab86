"""The timeline: append-only events, numbered per run without gaps or duplicates."""

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
    """One line of a run's timeline; its texts are sanitized when it is written."""

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
    """Append (run id, event) pairs in order, in a bounded number of statements for any number of runs.

    If two writers want the same sequence number of a run, the later one uses the next number.
    """
    pending: dict[int, list[Event]] = defaultdict(list)
    for run_id, event in events:
        pending[run_id].append(event)
    while pending:
        # One statement appends the next event of each run; a number in use is tried again.
        rows = [_row(run_id, run_events[0]) for run_id, run_events in pending.items()]
        with connection.cursor() as cursor:
            cursor.execute(_APPEND, [json.dumps(rows)])
            appended_run_ids = [run_id for (run_id,) in cursor.fetchall()]
        for run_id in appended_run_ids:
            pending[run_id].pop(0)
            if not pending[run_id]:
                del pending[run_id]


def _row(run_id: int, event: Event) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "kind": event.kind,
        "level": event.level,
        "message": sanitize_text(event.message, max_length=MAX_MESSAGE),
        "data": sanitize_json(dict(event.data), max_depth=8, max_bytes=8192),
        "actor": sanitize_text(event.actor, max_length=MAX_ACTOR),
    }
