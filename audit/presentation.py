"""Entries as text: what changed, from which value to which, and who did it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import Field, Model
from django.utils.text import Truncator

from audit.context import RUN_PREFIX
from audit.models import AuditEntry
from audit.registry import audited_tables, events
from tenancy.models import User
from tenancy.times import exact_text
from web.ids import parse_id, parse_ids

EMPTY = "\N{EN DASH}"
MAX_LENGTH = 200
_ACTIONS = {"created": "added", "updated": "changed", "deleted": "deleted"}
#: Columns of a new or deleted row that its entry shows elsewhere.
_SHOWN_ELSEWHERE = {"id", "created_at", "workspace_id", "tenant_id"}


@dataclass(frozen=True)
class Difference:
    """One field with its values before and after.

    Both are None for a secret, and the one that does not exist for a new or a deleted object.
    """

    label: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class EntryLine:
    """An entry for display. `url` is empty if the object has no page or was deleted."""

    entry: AuditEntry
    title: str
    name: str
    actor: str
    url: str
    #: The run of a worker that made the change.
    run_id: int | None
    differences: list[Difference]


def kind_label(table: str) -> str:
    """Return what pages call an object of this table."""
    audited = audited_tables().get(table)
    if audited and audited.label:
        return audited.label
    return table.replace("_", " ").capitalize()


def kind_choices() -> list[tuple[str, str]]:
    """Return the kinds of objects that have entries, by their labels."""
    tables = [table.table for table in audited_tables().values() if not table.part_of]
    return [(table, kind_label(table)) for table in sorted(tables, key=kind_label)]


def action_choices() -> list[tuple[str, str]]:
    """Return the kinds of changes, then the events."""
    return [(action, word.capitalize()) for action, word in _ACTIONS.items()] + list(
        events().items()
    )


def describe(entries: Iterable[AuditEntry], zone: dt.tzinfo) -> list[EntryLine]:
    """Return the entries for display, with times in this zone; names and addresses of objects are read together."""
    rows = list(entries)
    urls, user_names = _urls(rows), _user_names(rows)
    return [
        EntryLine(
            entry=entry,
            title=_title(entry),
            name=_name(entry),
            actor=actor_of(entry),
            url=urls.get((entry.object_type, entry.object_id), ""),
            run_id=_run_id(entry.reference),
            differences=[
                _difference(entry, column, values, user_names, zone)
                for column, values in sorted(entry.changes.items())
                if entry.action == "updated" or column not in _SHOWN_ELSEWHERE
            ],
        )
        for entry in rows
    ]


def actor_of(entry: AuditEntry) -> str:
    """Return who made the change: a user, a command, a worker, or direct SQL by a database role."""
    if entry.user_name:
        return entry.user_name
    kind, _, name = entry.origin.partition(" ")
    return {
        "page": "Not signed in",
        "administration": "Not signed in",
        "command": f"Command {name}",
        "task": "Worker",
        "direct": f"Direct SQL by {entry.database_role}",
    }.get(kind, "Runledger")


def _run_id(reference: str) -> int | None:
    if not reference.startswith(RUN_PREFIX):
        return None
    return parse_id(reference.removeprefix(RUN_PREFIX))


def _title(entry: AuditEntry) -> str:
    if entry.action in _ACTIONS:
        return f"{kind_label(entry.object_type)} {_ACTIONS[entry.action]}"
    title = events().get(entry.action, entry.action)
    tries = entry.details.get("tries_during_lock")
    return f"{title}: {tries} during the lock" if tries else title


def _name(entry: AuditEntry) -> str:
    name = entry.object_name or (entry.object_id and f"#{entry.object_id}")
    return f"{name} · {entry.part}" if entry.part else name


def _difference(
    entry: AuditEntry, column: str, values: Any, user_names: dict[int, str], zone: dt.tzinfo
) -> Difference:
    field = _field(entry.object_type, column)
    label = column.removesuffix("_id").replace("_", " ")
    if field is not None and field.verbose_name != "ID":
        label = str(field.verbose_name)
    label = label[:1].upper() + label[1:]
    if not isinstance(values, list):
        return Difference(label)
    before, after = (_text(field, value, user_names, zone) for value in values)
    return Difference(
        label,
        None if entry.action == "created" else before,
        None if entry.action == "deleted" else after,
    )


def _text(
    field: Field[Any, Any] | None, value: Any, user_names: dict[int, str], zone: dt.tzinfo
) -> str:
    """Return a stored value as a page shows it."""
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or EMPTY
    if field is not None and field.is_relation:
        return user_names.get(value, f"#{value}") if field.related_model is User else f"#{value}"
    if field is not None and field.choices:
        return str(dict(field.flatchoices).get(value, value))
    if field is not None and field.get_internal_type() == "DateTimeField":
        with suppress(ValueError):
            at = dt.datetime.fromisoformat(value)
            return exact_text(at if at.tzinfo else at.replace(tzinfo=dt.UTC), zone)
    return Truncator(str(value)).chars(MAX_LENGTH)


@cache
def _models() -> dict[str, type[Model]]:
    return {
        model._meta.db_table: model  # noqa: SLF001 - Django's own API
        for model in apps.get_models(include_auto_created=True)
    }


@cache
def _field(table: str, column: str) -> Field[Any, Any] | None:
    """Return the field of a column of this table, or of a table whose rows are parts of it."""
    parts = [
        audited.table
        for audited in audited_tables().values()
        if audited.part_of and audited.part_of[0] == table
    ]
    for name in (table, *parts):
        if name in _models():
            for field in _models()[name]._meta.local_fields:  # noqa: SLF001
                if field.column == column:
                    return field
    return None


def _user_names(entries: list[AuditEntry]) -> dict[int, str]:
    """Return the names of the users to whom the values of the entries refer."""
    ids: set[int] = set()
    for entry in entries:
        for column, values in entry.changes.items():
            field = _field(entry.object_type, column)
            if field is not None and field.related_model is User and isinstance(values, list):
                ids |= {value for value in values if isinstance(value, int)}
    if not ids:
        return {}
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "username"))


def _urls(entries: list[AuditEntry]) -> dict[tuple[str, str], str]:
    """Return the addresses of the objects that still exist and have a page."""
    ids_by_table: dict[str, set[str]] = {}
    for entry in entries:
        ids_by_table.setdefault(entry.object_type, set()).add(entry.object_id)
    urls: dict[tuple[str, str], str] = {}
    for table, ids in ids_by_table.items():
        model: Any = _models().get(table)
        if model is None or not hasattr(model, "get_absolute_url"):
            continue
        rows = model._default_manager.filter(pk__in=parse_ids(ids))  # noqa: SLF001
        if any(field.name == "workspace" for field in model._meta.local_fields):  # noqa: SLF001
            rows = rows.select_related("workspace")
        urls |= {(table, str(row.pk)): row.get_absolute_url() for row in rows}
    return urls
