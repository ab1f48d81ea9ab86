"""The timeline: append-only events, numbered per run without gaps or duplicates."""

from __future__ import annotations

import copy
import functools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from operations.models import EventLevel
from redaction.json import sanitize_json
from redaction.known_secrets import secrets_generation
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
            "data": _sanitize_data(self.data),
            "actor": sanitize_text(self.actor, max_length=MAX_ACTOR),
        }


def _sanitize_data(data: Mapping[str, Any]) -> Any:
    # Not of a subclass, because `True` is equal to 1.
    if all(type(value) is int for value in data.values()):
        return copy.copy(_sanitize_counts(tuple(data.items()), secrets_generation()))
    return sanitize_json(dict(data), max_depth=8, max_bytes=8192)


@functools.lru_cache(maxsize=1024)
def _sanitize_counts(counts: tuple[tuple[str, int], ...], generation: int) -> Any:
    """Sanitize counts, which most runs have in common, once for all secrets that are known now."""
    return sanitize_json(dict(counts), max_depth=8, max_bytes=8192)


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
