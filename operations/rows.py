"""Runs from the rows that a statement returns, and the change of one run together with its event.

Loading a run with Django after each statement takes as long as all statements of a short run.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import IntegrityError, connection, models, transaction
from psycopg.errors import UniqueViolation

from operations.events import Event, append_events
from operations.models import OperationRun
from tenancy.db import run_prepared
from tenancy.models import Tenant, Workspace

M = TypeVar("M", bound=models.Model)

_SCOPE = (Workspace, Tenant)


@functools.cache
def columns(model: type[models.Model], alias: str) -> str:
    """Return the columns of a model for the list of a SELECT, in the order of `from_row`."""
    return ", ".join(f"{alias}.{field.column}" for field in _fields(model))


def from_row(model: type[M], values: Sequence[Any], only: tuple[str, ...] = ()) -> M:
    """Return the object of a model whose `columns` have these values.

    `only` are the names of its columns, in the order of the model, if the values are not all.
    """
    names, json_columns = _names(model, only)
    loaded = list(values)
    for at in json_columns:
        # Django has the driver return JSON as text.
        loaded[at] = json.loads(loaded[at])
    return model.from_db(connection.alias, names, loaded)


def _fields(model: type[models.Model]) -> Sequence[models.Field[Any, Any]]:
    fields: Sequence[models.Field[Any, Any]] = model._meta.concrete_fields  # noqa: SLF001
    return fields


@functools.cache
def _names(model: type[models.Model], only: tuple[str, ...]) -> tuple[list[str], list[int]]:
    """The names of these fields, or of all, and the positions of those with JSON."""
    fields = [field for field in _fields(model) if not only or field.attname in only]
    is_json = [isinstance(field, models.JSONField) for field in fields]
    return [field.attname for field in fields], [at for at, json in enumerate(is_json) if json]


_CHANGE = """
WITH changed AS ({update} RETURNING *, xmin::text AS row_version){event}
SELECT row_version, {columns} FROM changed
"""
_WITH_SCOPE = """
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


def change_run(
    update: str, params: Mapping[str, Any], event: Event, *, scope_of: OperationRun | None = None
) -> OperationRun | None:
    """Change one run and append an event to its timeline, both or neither.

    Args:
        update: an UPDATE of `operation_runs` without RETURNING, a constant.
        params: its parameters by name.
        event: what the timeline says of the change.
        scope_of: the run as it was loaded, to which its workspace and tenant belong.

    Returns:
        The changed run with its workspace and tenant, or None if the UPDATE changed no row.
    """
    if not connection.in_atomic_block:
        row = event.row()
        written = {f"event_{name}": value for name, value in row.items()}
        written["event_data"] = json.dumps(row["data"])
        try:
            return _changed(update, {**params, **written}, _EVENT, scope_of)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            # At the same time, another writer appended an event with the same number.
    with transaction.atomic():
        run = _changed(update, params, "", scope_of)
        if run:
            append_events([(run.pk, event)])
    return run


@functools.cache
def _statement(update: str, event: str, *, with_scope: bool) -> str:
    """Return the statement of an UPDATE that returns the run, with its workspace and tenant."""
    names = columns(OperationRun, "changed")
    joins = ""
    if with_scope:
        names = ", ".join([names, *map(columns, _SCOPE, ("workspaces", "tenants"))])
        joins = _WITH_SCOPE
    return _CHANGE.format(update=update, event=event, columns=names) + joins


def _changed(
    update: str, params: Mapping[str, Any], event: str, scope_of: OperationRun | None
) -> OperationRun | None:
    rows = run_prepared(_statement(update, event, with_scope=scope_of is None), params)
    if not rows:
        return None
    version, *fields = rows[0]
    values = iter(fields)
    changed = from_row(OperationRun, _take(values, OperationRun))
    changed.row_version = version
    if scope_of:
        changed.workspace, changed.tenant = scope_of.workspace, scope_of.tenant
        return changed
    workspace, tenant = (_take(values, model) for model in _SCOPE)
    changed.workspace = from_row(Workspace, workspace)
    changed.tenant = from_row(Tenant, tenant) if changed.tenant_id else None
    return changed


def _take(values: Iterator[Any], model: type[models.Model]) -> list[Any]:
    """Return the next values, those of a model's columns."""
    return list(islice(values, len(_fields(model))))
