"""The SQL of `ensure_run`: one active run per identity, whoever races for it.

`INSERT … ON CONFLICT DO NOTHING RETURNING`, then a look at the winner, in a short loop, because the
winner may end between the two. Rows are inserted in the order of their hash, so that two batches
in opposite order never wait for each other in a circle.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection

from operations.catalog import OperationCatalog, Scope
from operations.context import build_context
from operations.identity import canonical_form, run_identity_hash
from operations.models import OperationRun
from operations.types import OperationRunType
from tenancy.models import Tenant, User, Workspace

ROUNDS = 10


class DispatchContention(RuntimeError):
    """The active run of an identity kept ending just before it could be joined."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A wish for a run.

    `inputs` make the identity, together with the scope and the type's identity group; `context`
    holds what is only shown: provenance, target, slot. `submission` is the form that asked:
    the same form for the same operation, posted however often and however late, leads to the run
    that it started.
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
            raise ValueError(f"{self.type} is run for a {scope}")

    @property
    def identity(self) -> str:
        """The hash that this request shares with every request for the same operation."""
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
        """Who asked, in words that stay when the user goes."""
        name = self.initiator_name or (self.by and (self.by.get_full_name() or self.by.username))
        return (name or "System")[:200]

    def row(self) -> dict[str, Any]:
        """The columns that a new run takes from the request."""
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
jsonb_to_recordset(%s::jsonb) AS wanted(
    position int, workspace_id bigint, tenant_id bigint, user_id bigint, initiator_name text,
    type text, run_identity_hash varchar, context jsonb, retry_of_id bigint, submission_id uuid)
"""

_INSERT = f"""
INSERT INTO operation_runs (
    workspace_id, tenant_id, user_id, initiator_name, type, status, outcome, run_identity_hash,
    context, retry_of_id, submission_id, created_at, updated_at, next_publish_at)
SELECT workspace_id, tenant_id, user_id, initiator_name, type, 'queued', 'pending',
       run_identity_hash, context, retry_of_id, submission_id, clock_timestamp(),
       clock_timestamp(), clock_timestamp() + make_interval(secs => %s)
FROM {_REQUESTED}
ORDER BY run_identity_hash, position
ON CONFLICT DO NOTHING
RETURNING id, tenant_id, workspace_id, run_identity_hash, type, context->>'scheduled_for'
"""  # noqa: S608 - assembled from constants

# Separate look-ups, because each has its own index.
_WINNERS = f"""
WITH wanted AS MATERIALIZED (SELECT * FROM {_REQUESTED})
SELECT wanted.position, run.id, false FROM wanted JOIN operation_runs run
    ON run.tenant_id = wanted.tenant_id AND run.run_identity_hash = wanted.run_identity_hash
    WHERE run.tenant_id IS NOT NULL AND run.status IN ('queued', 'running')
UNION ALL
SELECT wanted.position, run.id, false FROM wanted JOIN operation_runs run
    ON run.workspace_id = wanted.workspace_id AND run.run_identity_hash = wanted.run_identity_hash
    WHERE wanted.tenant_id IS NULL AND run.tenant_id IS NULL
      AND run.status IN ('queued', 'running')
{{slots}}
UNION ALL
SELECT wanted.position, run.id, true FROM wanted JOIN operation_runs run
    ON run.submission_id = wanted.submission_id
   AND run.run_identity_hash = wanted.run_identity_hash
    WHERE run.submission_id IS NOT NULL
ORDER BY 3
"""  # noqa: S608 - assembled from constants


# The type is a literal, so that the look-up can use the partial index of the declaring app.
_SLOT_WINNERS = """
UNION ALL
SELECT wanted.position, run.id, false FROM wanted JOIN operation_runs run
    ON run.context->>'{key}' = wanted.context->>'{key}'
   AND run.context->>'scheduled_for' = wanted.context->>'scheduled_for'
    WHERE wanted.type = '{type}' AND run.type = '{type}'
"""


def existing_runs_sql() -> str:
    """The look-ups of the active run of an identity, of a slot's run, and of a form's run."""
    slots = "".join(
        _SLOT_WINNERS.format(key=entry.slot_key, type=run_type.value)
        for run_type, entry in OperationCatalog.all().items()
        if entry.slot_key
    )
    return _WINNERS.format(slots=slots)


def ensure_rows(rows: Sequence[Row]) -> list[tuple[int, bool]]:
    """For each row, in order: the id of its run, and whether it was created by this call.

    Raises:
        DispatchContention: after many rounds some run could neither be created nor joined; only
            a transaction above READ COMMITTED, which cannot see the winner, gets here.
    """
    found: dict[int, tuple[int, bool]] = {}
    waiting = dict(enumerate(rows))
    for _ in range(ROUNDS):
        found |= _insert(waiting)
        waiting = {at: row for at, row in waiting.items() if at not in found}
        if waiting:
            found |= _winners(waiting)
            waiting = {at: row for at, row in waiting.items() if at not in found}
        if not waiting:
            return [found[at] for at in range(len(rows))]
    raise DispatchContention(
        f"{len(waiting)} runs could be neither created nor joined; dispatch needs READ COMMITTED."
    )


def _insert(waiting: Mapping[int, Row]) -> dict[int, tuple[int, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [settings.RUN_RELAY_AFTER_SECONDS, _as_json(waiting)])
        created = {tuple(key): run_id for run_id, *key in cursor.fetchall()}
    # Of two equal rows in one batch the first is the creator, the second joins it.
    return {
        at: (created.pop(key), True) for at, row in waiting.items() if (key := _key(row)) in created
    }


def _winners(waiting: Mapping[int, Row]) -> dict[int, tuple[int, bool]]:
    with connection.cursor() as cursor:
        cursor.execute(existing_runs_sql(), [_as_json(waiting)])
        # The run of the form itself comes last and wins.
        return {at: (run_id, False) for at, run_id, _ in cursor.fetchall()}


def _key(row: Row) -> tuple[Any, ...]:
    return (
        row["tenant_id"],
        row["workspace_id"],
        row["run_identity_hash"],
        row["type"],
        row["context"].get("scheduled_for"),
    )


def _as_json(waiting: Mapping[int, Row]) -> str:
    return json.dumps([{"position": at, **row} for at, row in waiting.items()])


_INSERT_BLOCKED = """
INSERT INTO operation_runs (
    workspace_id, tenant_id, user_id, initiator_name, type, status, outcome, run_identity_hash,
    context, failure_summary, retry_of_id, created_at, updated_at, completed_at)
SELECT workspace_id, tenant_id, user_id, initiator_name, type, 'completed', 'blocked',
       run_identity_hash, context, failure_summary, retry_of_id, clock_timestamp(),
       clock_timestamp(), clock_timestamp()
FROM jsonb_to_recordset(%s::jsonb) AS wanted(
    workspace_id bigint, tenant_id bigint, user_id bigint, initiator_name text, type text,
    run_identity_hash varchar, context jsonb, failure_summary jsonb, retry_of_id bigint)
ON CONFLICT DO NOTHING
RETURNING id
"""


def insert_blocked(rows: Sequence[Row]) -> list[int]:
    """Insert runs that are over before they began; rows carry their `failure_summary`.

    A slot that has its run already is left alone, so fewer ids than rows may come back.
    """
    with connection.cursor() as cursor:
        cursor.execute(_INSERT_BLOCKED, [json.dumps(list(rows))])
        return [run_id for (run_id,) in cursor.fetchall()]
