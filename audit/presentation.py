"""Entries as text: what changed, from which value to which, and who did it."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import F, Field, Model, Value
from django.utils.text import Truncator, capfirst

from audit.context import RUN_PREFIX
from audit.models import AuditEntry
from audit.registry import AuditedTable, audited_tables, events
from tenancy.models import User, Workspace
from tenancy.times import exact_text
from web.ids import parse_id, parse_ids

#: By table and id: the name of a user, or the slug of the workspace of an object.
References = dict[tuple[str, int], str]

EMPTY = "\N{EN DASH}"
MAX_LENGTH = 200
_USERS = User._meta.db_table  # noqa: SLF001 - Django's own API
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


def describe(
    entries: Iterable[AuditEntry], zone: dt.tzinfo, *, linked: bool = True
) -> list[EntryLine]:
    """Return the entries for display, with times in this zone.

    `linked`: whether they link to their objects; the page of an object does not link to itself.
    """
    rows = list(entries)
    references = _load_references(rows, linked=linked)
    return [
        EntryLine(
            entry=entry,
            title=_title(entry),
            name=_name(entry),
            actor=actor_of(entry),
            url=_url(entry, references) if linked else "",
            run_id=_run_id(entry.reference),
            differences=[
                _difference(entry, column, values, references, zone)
                for column, values in sorted(entry.changes.items())
                if not _is_shown_elsewhere(entry, column)
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


def _is_shown_elsewhere(entry: AuditEntry, column: str) -> bool:
    """Whether the entry has the value of a column in another place, such as the name of a user."""
    if f"{column.removesuffix('_id')}_name" in entry.changes:
        return True
    return entry.action != "updated" and column in _SHOWN_ELSEWHERE


def _difference(
    entry: AuditEntry, column: str, values: Any, references: References, zone: dt.tzinfo
) -> Difference:
    field = _field(entry.object_type, column)
    label = _label(entry.object_type, column)
    if not isinstance(values, list):
        return Difference(label)
    before, after = (
        _registered_text(entry.object_type, column, value) or _text(field, value, references, zone)
        for value in values
    )
    return Difference(
        label,
        None if entry.action == "created" else before,
        None if entry.action == "deleted" else after,
    )


@cache
def _label(table: str, column: str) -> str:
    """Return what pages call a column of a table, or of a table whose rows are parts of it."""
    field = _field(table, column)
    name = field.name if field is not None else column
    for audited in _with_parts(table):
        if label := audited.label_of(name):
            return label
    if field is not None and field.verbose_name != "ID":
        return capfirst(_without_affixes(str(field.verbose_name)))
    return capfirst(_without_affixes(column.removesuffix("_id").replace("_", " ")))


def _without_affixes(name: str) -> str:
    """Return “default” for “is default”, and “paused by” for “paused by name”."""
    name = name.removeprefix("is ")
    return name.removesuffix(" name") if name.endswith(" by name") else name


def _registered_text(table: str, column: str, value: Any) -> str:
    """Return the text that an app has registered for a value; empty without one."""
    name = column.removesuffix("_id")
    texts = (each.texts[name] for each in _with_parts(table) if name in each.texts)
    text = next(texts, None)
    return Truncator(text(value)).chars(MAX_LENGTH) if text and value else ""


def _text(
    field: Field[Any, Any] | None, value: Any, references: References, zone: dt.tzinfo
) -> str:
    """Return a stored value as a page shows it."""
    if value is None or value == "":
        return EMPTY
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or EMPTY
    if field is not None and field.is_relation:
        is_user = field.related_model is User
        return references.get((_USERS, value), f"#{value}") if is_user else f"#{value}"
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
    for audited in _with_parts(table):
        if audited.table in _models():
            for field in _models()[audited.table]._meta.local_fields:  # noqa: SLF001
                if field.column == column:
                    return field
    return None


def _with_parts(table: str) -> list[AuditedTable]:
    """Return this table, then those whose rows are parts of its objects."""
    tables = audited_tables()
    parts = [each for each in tables.values() if each.part_of and each.part_of[0] == table]
    return [tables[table], *parts] if table in tables else parts


def _load_references(entries: list[AuditEntry], *, linked: bool) -> References:
    """Return what the entries refer to, by table and id, with one statement for all tables.

    Users come with their name, the other objects with the slug of their workspace. An object is
    missing if it was deleted or has no page.
    """
    ids: defaultdict[str, set[int]] = defaultdict(set)
    for entry in entries:
        if linked and hasattr(_models().get(entry.object_type), "get_absolute_url"):
            ids[entry.object_type] |= set(parse_ids([entry.object_id]))
        for column, values in entry.changes.items():
            field = _field(entry.object_type, column)
            if field is not None and field.related_model is User and isinstance(values, list):
                ids[_USERS] |= {value for value in values if isinstance(value, int)}
    statements = [_references_in(table, pks) for table, pks in ids.items() if pks]
    if not statements:
        return {}
    rows = statements[0].union(*statements[1:], all=True) if statements[1:] else statements[0]
    return {(table, pk): text for table, pk, text in rows}


def _references_in(table: str, ids: set[int]) -> Any:
    model: Any = _models()[table]
    columns = {field.name for field in model._meta.local_fields}  # noqa: SLF001
    text: Any = Value("")
    if table == _USERS:
        text = F("username")
    elif "slug" in columns:
        text = F("slug")
    elif "workspace" in columns:
        text = F("workspace__slug")
    rows = model._default_manager.filter(pk__in=ids).order_by()  # noqa: SLF001
    return rows.values_list(Value(table), "pk", text)


def _url(entry: AuditEntry, references: References) -> str:
    """Return the address of the object, which is made from its id and its workspace."""
    model: Any = _models().get(entry.object_type)
    object_id = parse_id(entry.object_id) or 0
    slug = references.get((entry.object_type, object_id))
    if slug is None or not hasattr(model, "get_absolute_url"):
        return ""
    instance = model(pk=object_id)
    if isinstance(instance, Workspace):
        instance.slug = slug
    elif slug:
        instance.workspace = Workspace(slug=slug)
    return str(instance.get_absolute_url())
