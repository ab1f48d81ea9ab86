"""The SQL of `ensure_run`: one active run per identity under any number of concurrent requests.

One statement looks up the run of each request and inserts the missing ones with `ON CONFLICT DO
NOTHING`. It is repeated in a short loop, because another transaction may insert the run in the same
moment. Rows are inserted in the order of their identity hash, so that two batches in opposite order
do not deadlock.
"""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from operations.catalog import OperationCatalog, Scope
from operations.context import build_context
from operations.events import MAX_ACTOR, Event
from operations.identity import canonical_form, run_identity_hash
from operations.models import OperationRun
from operations.rows import columns, from_row
from operations.types import OperationRunType
from redaction.text import sanitize_text
from tenancy.db import run_prepared
from tenancy.models import Tenant, User, Workspace

MAX_ROUNDS = 10
#: The messages of the events of a new run, and of a request that led to an existing run.
CREATED = "Requested by {}."
JOINED = "Deduplicated request by {}: this run was already active."


class DispatchContention(RuntimeError):
    """A run could be neither created nor found in any round."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A request for a run.

    `inputs`, the scope and the identity group of the type make the identity. `context` has the
    values that are only shown: provenance, target, slot. `submission` is the rendering of the form
    that sent the request: posting it again leads to the run that it started, even if that has ended.
    """

    type: OperationRunType
    workspace: Workspace
    tenant: Tenant | None = None
    by: User | None = None
    initiator_name: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    retry_of: OperationRun | None = None
    submission: uuid.UUID | None = None

    def __post_init__(self) -> None:
        scope = OperationCatalog.get(self.type).scope
        if (scope is Scope.TENANT) != (self.tenant is not None):
            raise ValueError(f"{self.type} needs a {scope} as its scope")
        if self.by and self.by.limit:
            self.by.limit.require_type(self.type)

    @property
    def identity(self) -> str:
        """The identity hash that this request shares with every request for the same operation."""
        if self.retry_of:
            return self.retry_of.run_identity_hash
        return run_identity_hash(
            workspace_id=self.workspace.pk,
            tenant_id=self.tenant.pk if self.tenant else None,
            group=OperationCatalog.identity_group(self.type),
            inputs=self.inputs,
        )

    @property
    def initiator(self) -> str:
        """The name of the initiator, which stays on the run after the user is deleted."""
        name = self.initiator_name
        if not name and self.by:
            name = self.by.get_full_name() or self.by.username
        return (name or "System")[:200]

    def row(self) -> dict[str, Any]:
        """Return the columns of a new run."""
        return {
            "workspace_id": self.workspace.pk,
            "tenant_id": self.tenant.pk if self.tenant else None,
            "user_id": self.by.pk if self.by else None,
            "initiator_name": self.initiator,
            "type": self.type.value,
            "run_identity_hash": self.identity,
            "context": build_context(self.context, canonical_form(self.inputs)),
            "retry_of_id": self.retry_of.pk if self.retry_of else None,
            "submission_id": str(self.submission) if self.submission else None,
        }


Row = dict[str, Any]

_REQUESTED = """
jsonb_to_recordset(%s::jsonb) AS requested(
    position int, workspace_id bigint, tenant_id bigint, user_id bigint, initiator_name text,
    type text, run_identity_hash varchar, context jsonb, retry_of_id bigint, submission_id uuid,
    trace_parent varchar)
"""

# The lookups are separate, because each has its own index. The run of the submission takes
# precedence. A new run has no other event, so that its first one needs no look at the timeline. Of
# the requests that led to the same existing run, one is recorded.
_ENSURE = f"""
WITH requested AS MATERIALIZED (SELECT * FROM {_REQUESTED}), found AS (
SELECT requested.position, run.id, false AS is_submission
    FROM requested JOIN operation_runs run
    ON run.tenant_id = requested.tenant_id AND run.run_identity_hash = requested.run_identity_hash
    WHERE run.tenant_id IS NOT NULL AND run.status IN ('queued', 'running')
UNION ALL
SELECT requested.position, run.id, false FROM requested JOIN operation_runs run
    ON run.workspace_id = requested.workspace_id
   AND run.run_identity_hash = requested.run_identity_hash
    WHERE requested.tenant_id IS NULL AND run.tenant_id IS NULL
      AND run.status IN ('queued', 'running')
{{slots}}
UNION ALL
SELECT requested.position, run.id, true FROM requested JOIN operation_runs run
    ON run.submission_id = requested.submission_id
   AND run.run_identity_hash = requested.run_identity_hash
    WHERE run.submission_id IS NOT NULL),
chosen AS MATERIALIZED (
    SELECT DISTINCT ON (position) position, id FROM found ORDER BY position, is_submission DESC),
first AS (SELECT DISTINCT ON (id) position, id FROM chosen ORDER BY id, position),
created AS (
    INSERT INTO operation_runs (
        workspace_id, tenant_id, user_id, initiator_name, type, status, outcome, run_identity_hash,
        context, retry_of_id, submission_id, trace_parent, created_at, updated_at,
        next_publish_at)
    SELECT workspace_id, tenant_id, user_id, initiator_name, type, 'queued', 'pending',
           run_identity_hash, context, retry_of_id, submission_id, coalesce(trace_parent, ''),
           clock_timestamp(), clock_timestamp(),
           clock_timestamp() + make_interval(secs => %s)
    FROM requested
    WHERE position NOT IN (SELECT position FROM chosen)
    ORDER BY run_identity_hash, position
    ON CONFLICT DO NOTHING
    RETURNING *),
event AS (
    INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)
    SELECT entry.run_id, entry.sequence, clock_timestamp(), entry.kind, 'info',
           CASE entry.kind WHEN 'created' THEN text.created ELSE text.joined END,
           '{{{{}}}}', text.actor
    FROM (
        SELECT id AS run_id, 1 AS sequence, 'created' AS kind, initiator_name FROM created
        UNION ALL
        SELECT first.id, 1 + COALESCE((
                   SELECT max(sequence) FROM operation_run_events WHERE run_id = first.id), 0),
               'joined', requested.initiator_name
        FROM first JOIN requested USING (position) WHERE %s) entry
    JOIN jsonb_to_recordset(%s::jsonb) AS text(
        initiator_name text, created text, joined text, actor text) USING (initiator_name)
    ORDER BY entry.run_id
    ON CONFLICT (run_id, sequence) DO NOTHING
    RETURNING run_id)
SELECT NULL AS position, true AS has_event, {{created}} FROM created
UNION ALL
SELECT chosen.position, first.position = chosen.position AND event.run_id IS NOT NULL, {{run}}
FROM chosen JOIN operation_runs run USING (id)
JOIN first USING (id) LEFT JOIN event ON event.run_id = run.id
"""  # noqa: S608 - assembled from constants  # nosec B608


# The type is a literal, so that the lookup can use the partial index of the declaring app.
_RUNS_OF_SLOT = """
UNION ALL
SELECT requested.position, run.id, false FROM requested JOIN operation_runs run
    ON run.context->>'{key}' = requested.context->>'{key}'
   AND run.context->>'scheduled_for' = requested.context->>'scheduled_for'
    WHERE requested.type = '{type}' AND run.type = '{type}'
"""


@functools.cache
def ensure_sql() -> str:
    """Return the SQL that finds or inserts the run of each request."""
    slots = "".join(
        _RUNS_OF_SLOT.format(key=entry.slot_key, type=run_type.value)
        for run_type, entry in OperationCatalog.all().items()
        if entry.slot_key
    )
    names = {alias: columns(OperationRun, alias) for alias in ("created", "run")}
    return _ENSURE.format(slots=slots, **names)


class Ensured(NamedTuple):
    """The run of a request, whether this call created it, and whether its timeline says so."""

    run: OperationRun
    created: bool
    has_event: bool


def ensure_rows(
    requests: Sequence[RunRequest], trace_parents: Sequence[str], *, record_joined: bool
) -> list[Ensured]:
    """Return for each request, in order, its run; a new one continues the trace of its request.

    A new run has its first event. With `record_joined`, an existing run has an event for the first
    of its requests, unless another writer appended one at the same moment.

    Raises:
        DispatchContention: after all rounds a run could be neither created nor found. This happens
            only above READ COMMITTED, where the transaction cannot see the existing run.
    """
    runs: dict[int, Ensured] = {}
    pending = {
        at: request.row() | {"trace_parent": trace_parents[at]}
        for at, request in enumerate(requests)
    }
    for _ in range(MAX_ROUNDS):
        runs |= _ensure(pending, record_joined=record_joined)
        pending = {at: row for at, row in pending.items() if at not in runs}
        if not pending:
            for at, request in enumerate(requests):
                _set_scope(runs[at].run, request)
            return [runs[at] for at in range(len(requests))]
    raise DispatchContention(
        f"{len(pending)} runs could be neither created nor found; dispatch needs READ COMMITTED."
    )


def _ensure(pending: Mapping[int, Row], *, record_joined: bool) -> dict[int, Ensured]:
    rows = run_prepared(ensure_sql(), ensure_params(pending, record_joined=record_joined))
    ensured: dict[int, Ensured] = {}
    created: dict[tuple[Any, ...], OperationRun] = {}
    for at, has_event, *values in rows:
        run = from_row(OperationRun, values)
        if at is None:
            created[_conflict_key(run.__dict__)] = run
        else:
            ensured[at] = Ensured(run, created=False, has_event=has_event)
    for at, row in pending.items():
        # Of two equal rows in one batch, the first creates the run.
        if at not in ensured and (new := created.pop(_conflict_key(row), None)):
            ensured[at] = Ensured(new, created=True, has_event=True)
    return ensured


def ensure_params(pending: Mapping[int, Row], *, record_joined: bool) -> list[Any]:
    """Return the parameters of `ensure_sql` for the rows of these requests."""
    requested = json.dumps([{"position": at, **row} for at, row in pending.items()])
    return [requested, settings.RUN_RELAY_AFTER_SECONDS, record_joined, _texts(pending)]


def joined_event(initiator: str) -> Event:
    """Return the event of a request that led to an existing run."""
    return Event("joined", JOINED.format(initiator), actor=initiator)


def _texts(pending: Mapping[int, Row]) -> str:
    """Return the texts of the events of all initiators as JSON.

    A name is sanitized once, for all of its texts: a tick has thousands of them.
    """
    names = {row["initiator_name"] for row in pending.values()}
    actors = {name: sanitize_text(name, max_length=MAX_ACTOR) for name in names}
    return json.dumps(
        [
            {
                "initiator_name": name,
                "created": CREATED.format(actor),
                "joined": JOINED.format(actor),
                "actor": actor,
            }
            for name, actor in actors.items()
        ]
    )


def _set_scope(run: OperationRun, request: RunRequest) -> None:
    """Give a run the workspace and the tenant of its request, so that they are not loaded again."""
    if run.workspace_id == request.workspace.pk:
        run.workspace = request.workspace
    if request.tenant and run.tenant_id == request.tenant.pk:
        run.tenant = request.tenant


def _conflict_key(row: Row) -> tuple[Any, ...]:
    return (
        row["tenant_id"],
        row["workspace_id"],
        row["run_identity_hash"],
        row["type"],
        row["context"].get("scheduled_for"),
    )


_INSERT_BLOCKED = """
INSERT INTO operation_runs (
    workspace_id, tenant_id, user_id, initiator_name, type, status, outcome, run_identity_hash,
    context, failure_summary, cause, retry_of_id, created_at, updated_at, completed_at)
SELECT workspace_id, tenant_id, user_id, initiator_name, type, 'completed', 'blocked',
       run_identity_hash, context, failure_summary, cause, retry_of_id, clock_timestamp(),
       clock_timestamp(), clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS requested(
    workspace_id bigint, tenant_id bigint, user_id bigint, initiator_name text, type text,
    run_identity_hash varchar, context jsonb, failure_summary jsonb, cause varchar,
    retry_of_id bigint)
ON CONFLICT DO NOTHING
RETURNING id
"""


def insert_blocked(rows: Sequence[Row]) -> list[int]:
    """Insert blocked runs, with the failures and the cause of each row, and return their ids.

    A row for a slot that already has a run is skipped, so there may be fewer ids than rows.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_BLOCKED, [json.dumps(list(rows))])
        return [run_id for (run_id,) in cursor.fetchall()]


# The run of the slot before is the same blocked run, except for its slot, and no later run has
# resolved it. A slot that it already stands for is returned too.
_REPEATED = """
SELECT requested.position, run.id,
       COALESCE(run.context #>> '{{repeated,last}}', run.context->>'scheduled_for')
           >= requested.context->>'scheduled_for'
FROM jsonb_to_recordset(%s::jsonb) AS requested(
    position int, type text, context jsonb, failure_summary jsonb)
CROSS JOIN LATERAL (
    SELECT * FROM operation_runs earlier
    WHERE earlier.type = '{type}' AND earlier.context->>'{key}' = requested.context->>'{key}'
      AND earlier.context->>'scheduled_for' < requested.context->>'scheduled_for'
    ORDER BY earlier.context->>'scheduled_for' DESC LIMIT 1) run
WHERE requested.type = '{type}' AND run.outcome = 'blocked'
  AND run.recovered_at IS NULL AND run.superseded_by_id IS NULL
  AND run.failure_summary #>> '{{0,code}}' = requested.failure_summary #>> '{{0,code}}'
  AND run.context - ARRAY['scheduled_for', 'repeated'] = requested.context - 'scheduled_for'
  AND NOT EXISTS (
    SELECT FROM operation_runs same
    WHERE same.type = '{type}' AND same.context->>'{key}' = requested.context->>'{key}'
      AND same.context->>'scheduled_for' = requested.context->>'scheduled_for')
"""

_EXTEND = """
UPDATE operation_runs run SET updated_at = clock_timestamp(), context = jsonb_set(
    run.context, '{repeated}', jsonb_build_object(
        'slots', COALESCE((run.context #>> '{repeated,slots}')::int, 1) + 1,
        'first', run.context->'scheduled_for', 'last', repeated.slot))
FROM unnest(%s::bigint[], %s::text[]) AS repeated(id, slot)
WHERE run.id = repeated.id
  AND COALESCE(run.context #>> '{repeated,last}', run.context->>'scheduled_for') < repeated.slot
  AND run.recovered_at IS NULL AND run.superseded_by_id IS NULL
RETURNING run.id
"""


def extend_blocked(rows: Sequence[Row]) -> tuple[set[int], int]:
    """Extend the blocked runs that these blocked slots repeat.

    Returns:
        The positions of the rows that a run stands for now, and how many it did not before.
    """
    requested = [
        {"position": at, **{name: row[name] for name in ("type", "context", "failure_summary")}}
        for at, row in enumerate(rows)
    ]
    repeated: dict[int, int] = {}
    recorded: set[int] = set()
    with connection.cursor() as cursor:
        for run_type, entry in OperationCatalog.all().items():
            if entry.slot_key:
                sql = _REPEATED.format(type=run_type.value, key=entry.slot_key)
                cursor.execute(sql, [json.dumps(requested)])
                for position, run_id, is_recorded in cursor.fetchall():
                    repeated[position] = run_id
                    recorded |= {position} if is_recorded else set()
        slots = [rows[at]["context"]["scheduled_for"] for at in repeated]
        cursor.execute(_EXTEND, [list(repeated.values()), slots])
        # A run that was resolved since it was read is not extended.
        extended = {run_id for (run_id,) in cursor.fetchall()}
    recorded |= {at for at, run_id in repeated.items() if run_id in extended}
    return recorded, len(extended)
