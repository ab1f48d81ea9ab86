"""Runs from the rows that a statement returns, and the change of one run together with its event.

Loading a run with Django after each statement takes as long as all statements of a short run.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import IntegrityError, connection, models, transaction
from psycopg.errors import UniqueViolation

from operations.events import Event, append_events
from operations.models import OperationRun
from tenancy.db import run_prepared
from tenancy.models import Tenant, Workspace

M = TypeVar("M", bound=models.Model)

_SCOPE = (OperationRun, Workspace, Tenant)


@functools.cache
def columns(model: type[models.Model], alias: str) -> str:
    """Return the columns of a model for the list of a SELECT, in the order of `from_row`."""
    return ", ".join(f"{alias}.{field.column}" for field in _fields(model))


def from_row(model: type[M], values: Sequence[Any]) -> M:
    """Return the object of a model whose `columns` have these values."""
    names, json_columns = _names(model)
    loaded = list(values)
    for at in json_columns:
        # Django has the driver return JSON as text.
        loaded[at] = json.loads(loaded[at])
    return model.from_db(connection.alias, names, loaded)


def _fields(model: type[models.Model]) -> Sequence[models.Field[Any, Any]]:
    fields: Sequence[models.Field[Any, Any]] = model._meta.concrete_fields  # noqa: SLF001
    return fields


@functools.cache
def _names(model: type[models.Model]) -> tuple[list[str], list[int]]:
    """The names of the fields, and the positions of those with JSON."""
    fields = _fields(model)
    is_json = [isinstance(field, models.JSONField) for field in fields]
    return [field.attname for field in fields], [at for at, json in enumerate(is_json) if json]


_CHANGE = """
WITH changed AS ({update} RETURNING *, xmin::text AS row_version){event}
SELECT row_version, {columns} FROM changed
JOIN workspaces ON workspaces.id = changed.workspace_id
LEFT JOIN tenants ON tenants.id = changed.tenant_id
"""
_EVENT = """, event AS (
    INSERT INTO operation_run_events (run_id, sequence, at, kind, level, message, data, actor)
    SELECT id, 1 + COALESCE((
               SELECT max(sequence) FROM operation_run_events WHERE run_id = changed.id), 0),
           clock_timestamp(), %(event_kind)s, %(event_level)s, %(event_message)s,
           %(event_data)s::jsonb, %(event_actor)s
    FROM changed)
"""


def change_run(update: str, params: Mapping[str, Any], event: Event) -> OperationRun | None:
    """Change one run and append an event to its timeline, both or neither.

    Args:
        update: an UPDATE of `operation_runs` without RETURNING, a constant.
        params: its parameters by name.
        event: what the timeline says of the change.

    Returns:
        The changed run with its workspace and tenant, or None if the UPDATE found no row.
    """
    if not connection.in_atomic_block:
        row = event.row()
        written = {f"event_{name}": value for name, value in row.items()}
        written["event_data"] = json.dumps(row["data"])
        try:
            return _changed(_with_scope(update, _EVENT), {**params, **written})
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            # At the same time, another writer appended an event with the same number.
    with transaction.atomic():
        run = _changed(_with_scope(update), params)
        if run:
            append_events([(run.pk, event)])
    return run


@functools.cache
def _with_scope(update: str, event: str = "") -> str:
    """Return the statement of an UPDATE that returns the run with its workspace and tenant."""
    names = map(columns, _SCOPE, ("changed", "workspaces", "tenants"))
    return _CHANGE.format(update=update, event=event, columns=", ".join(names))


def _changed(sql: str, params: Mapping[str, Any]) -> OperationRun | None:
    rows = run_prepared(sql, params)
    if not rows:
        return None
    version, *fields = rows[0]
    values = iter(fields)
    run, workspace, tenant = (list(islice(values, len(_fields(model)))) for model in _SCOPE)
    changed = from_row(OperationRun, run)
    changed.row_version = version
    changed.workspace = from_row(Workspace, workspace)
    changed.tenant = from_row(Tenant, tenant) if changed.tenant_id else None
    return changed
