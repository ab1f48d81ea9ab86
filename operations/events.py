"""The timeline: append-only events, numbered per run without gaps or duplicates."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.models import EventLevel
from redaction.json import sanitize_json
from redaction.text import sanitize_text
from tenancy.db import run_prepared

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

    def row(self) -> dict[str, Any]:
        """Return the columns of the event."""
        return {
            "kind": self.kind,
            "level": self.level,
            "message": sanitize_text(self.message, max_length=MAX_MESSAGE),
            "data": sanitize_json(dict(self.data), max_depth=8, max_bytes=8192),
            "actor": sanitize_text(self.actor, max_length=MAX_ACTOR),
        }


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
        rows = [{"run_id": run_id, **ahead[0].row()} for run_id, ahead in pending.items()]
        for (run_id,) in run_prepared(_APPEND, [json.dumps(rows)]):
            pending[run_id].pop(0)
            if not pending[run_id]:
                del pending[run_id]
