"""Runs from the rows that a statement returns, and the change of one run together with its event.

Loading a run with Django after each statement takes as long as all statements of a short run.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, models, transaction
from django.db.models.base import ModelState
from psycopg.errors import UniqueViolation

from operations.events import Event, append_events
from operations.models import OperationRun
from tenancy.db import run_prepared
from tenancy.models import Tenant, Workspace

M = TypeVar("M", bound=models.Model)

_SCOPE = (Workspace, Tenant)
#: The columns of a run that its end changes, in the order of the model.
_ENDED = (
    "status",
    "outcome",
    "failure_summary",
    "cause",
    "updated_at",
    "completed_at",
    "next_publish_at",
)


@functools.cache
def columns(model: type[models.Model], alias: str) -> str:
    """Return the columns of a model for the list of a SELECT, in the order of `from_row`."""
    return ", ".join(f"{alias}.{field.column}" for field in _fields(model))


def from_row(model: type[M], values: Sequence[Any], only: tuple[str, ...] = ()) -> M:
    """Return the object of a model whose `columns` have these values.

    `only` are the names of its columns, in the order of the model, if the values are not all.
    """
    # As Django restores a pickled object; its `from_db` takes several times as long.
    row = model.__new__(model)
    row._state = ModelState()  # noqa: SLF001
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS  # noqa: SLF001
    row.__dict__.update(_values(model, values, only))
    return row


def _values(
    model: type[models.Model], values: Sequence[Any], only: tuple[str, ...]
) -> dict[str, Any]:
    """Return the attributes of an object with these values."""
    names, json_columns = _names(model, only)
    loaded = dict(zip(names, values, strict=True))
    for name in json_columns:
        # Django has the driver return JSON as text.
        loaded[name] = json.loads(loaded[name])
    return loaded


def _fields(model: type[models.Model]) -> Sequence[models.Field[Any, Any]]:
    fields: Sequence[models.Field[Any, Any]] = model._meta.concrete_fields  # noqa: SLF001
    return fields


@functools.cache
def _names(model: type[models.Model], only: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The names of these fields, or of all, and of those with JSON."""
    fields = [field for field in _fields(model) if not only or field.attname in only]
    json_fields = [field for field in fields if isinstance(field, models.JSONField)]
    return [field.attname for field in fields], [field.attname for field in json_fields]


_CHANGE = """
WITH changed AS ({update} RETURNING {returned}, xmin::text AS row_version){event}
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
    update: str, params: Mapping[str, Any], event: Event, *, claimed: OperationRun | None = None
) -> OperationRun | None:
    """Change one run and append an event to its timeline, both or neither.

    Args:
        update: an UPDATE of `operation_runs` without RETURNING, a constant.
        params: its parameters by name.
        event: what the timeline says of the change.
        claimed: the run, if the UPDATE ends it in exactly this version.

    Returns:
        The changed run with its workspace and tenant, or None if the UPDATE changed no row. It is
        `claimed`, if that was passed.
    """
    if not connection.in_atomic_block:
        row = event.row()
        written = {f"event_{name}": value for name, value in row.items()}
        written["event_data"] = json.dumps(row["data"])
        try:
            return _changed(update, {**params, **written}, _EVENT, claimed)
        except IntegrityError as error:
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            # At the same time, another writer appended an event with the same number.
    with transaction.atomic():
        run = _changed(update, params, "", claimed)
        if run:
            append_events([(run.pk, event)])
    return run


@functools.cache
def _statement(update: str, event: str, *, is_loaded: bool) -> str:
    """Return the statement of an UPDATE that returns the run, with its workspace and tenant.

    Of a run that is loaded it returns the columns of its end.
    """
    if is_loaded:
        names = ", ".join(_ENDED)
        return _CHANGE.format(update=update, event=event, returned=f"id, {names}", columns=names)
    names = ", ".join(
        [columns(OperationRun, "changed"), *map(columns, _SCOPE, ("workspaces", "tenants"))]
    )
    change = _CHANGE.format(update=update, event=event, returned="*", columns=names)
    return change + _WITH_SCOPE


def _changed(
    update: str, params: Mapping[str, Any], event: str, claimed: OperationRun | None
) -> OperationRun | None:
    rows = run_prepared(_statement(update, event, is_loaded=claimed is not None), params)
    if not rows:
        return None
    version, *fields = rows[0]
    if claimed:
        claimed.__dict__.update(_values(OperationRun, fields, _ENDED), row_version=version)
        return claimed
    values = iter(fields)
    changed = from_row(OperationRun, _take(values, OperationRun))
    changed.row_version = version
    workspace, tenant = (_take(values, model) for model in _SCOPE)
    changed.workspace = from_row(Workspace, workspace)
    changed.tenant = from_row(Tenant, tenant) if changed.tenant_id else None
    return changed


def _take(values: Iterator[Any], model: type[models.Model]) -> list[Any]:
    """Return the next values, those of a model's columns."""
    return list(islice(values, len(_fields(model))))
