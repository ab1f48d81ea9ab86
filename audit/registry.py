"""Which tables the audit log covers, and which events it knows.

Every app says so in its `audited.py`, which is discovered by its name:

    audit_table("provider_connections", label="Connection", name="name", workspace="workspace_id",
                secrets=["encrypted_credential"], ignored=["status", "checked_at", "updated_at"])
    exclude("operation_ticks", "Times of periodic tasks.")
    audit_event("session_ended", "Session ended")

A table in neither list fails a test. A trigger records the changes: the app's migration creates it
with `audit_trigger` and the same options, which a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.forms import BaseForm

OPERATIONS = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class AuditedTable:
    """How the changes of a table are recorded.

    `label` is what pages call an object; by default the name of its model. `name`, `workspace`,
    `tenant` and `part` each name a column, or a value of another table: see `through`. `part_of` is
    the table and the column of the object that a row belongs to, such as the restore of an item:
    changes of the row are updates of that object, and `part` is the name of the row in them.
    Columns in `secrets` are recorded as changed, without their values; a change of `ignored`
    columns only is no entry. `only` limits the entries to updates of these columns. Pages name a
    column as `labels` does, else as the `form` of the object does, else by its verbose name.
    `texts` are functions that return what pages show for a value of a column, such as the names of
    kinds for their keys.
    """

    table: str
    label: str = ""
    name: str = ""
    workspace: str = ""
    tenant: str = ""
    part: str = ""
    part_of: tuple[str, str] | None = None
    secrets: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    operations: tuple[str, ...] = OPERATIONS
    form: type[BaseForm] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)

    def label_of(self, name: str) -> str:
        """Return the label of a field; empty if neither `labels` nor the form has one."""
        if name in self.labels or self.form is None:
            return self.labels.get(name, "")
        form: Any = self.form
        shown = form.base_fields.get(name)
        return str(shown.label or "") if shown else ""

    @property
    def options(self) -> str:
        """The argument of the trigger."""
        options = {
            "name": self.name,
            "workspace": self.workspace,
            "tenant": self.tenant,
            "part": self.part,
            "part_of": list(self.part_of or ()),
            "secrets": list(self.secrets),
            "ignored": list(self.ignored),
            "only": list(self.only),
        }
        return json.dumps({key: value for key, value in options.items() if value})

    @property
    def trigger_events(self) -> str:
        """The events of the trigger, as PostgreSQL writes them."""
        if self.only:
            return f"UPDATE OF {', '.join(self.only)}"
        return " OR ".join(self.operations)


_TABLES: dict[str, AuditedTable] = {}
_EXCLUDED: dict[str, str] = {}
_EVENTS: dict[str, str] = {}


def through(column: str, table: str, value: str, *, key: str = "id") -> str:
    """Return how to look up a value of another table, whose `key` is the value of `column`."""
    return f"{column}>{table}.{key}.{value}"


def audit_table(
    table: str,
    *,
    label: str = "",
    name: str = "",
    workspace: str = "",
    tenant: str = "",
    part: str = "",
    part_of: tuple[str, str] | None = None,
    secrets: Sequence[str] = (),
    ignored: Sequence[str] = (),
    only: Sequence[str] = (),
    operations: Sequence[str] = OPERATIONS,
    form: type[BaseForm] | None = None,
    labels: Mapping[str, str] | None = None,
    texts: Mapping[str, Callable[[Any], str]] | None = None,
) -> None:
    """Register a table whose changes are recorded; `AuditedTable` describes the options.

    Raises:
        ValueError: the table is already registered or excluded.
    """
    if table in _TABLES or table in _EXCLUDED:
        raise ValueError(f"The table {table} is already registered.")
    _TABLES[table] = AuditedTable(
        table=table,
        label=label,
        name=name,
        workspace=workspace,
        tenant=tenant,
        part=part,
        part_of=part_of,
        secrets=tuple(secrets),
        ignored=tuple(ignored),
        only=tuple(only),
        operations=tuple(operations),
        form=form,
        labels=labels or {},
        texts=texts or {},
    )


def exclude(table: str, reason: str) -> None:
    """Leave the changes of a table out of the audit log, and say why.

    Raises:
        ValueError: the table is already registered or excluded.
    """
    if table in _TABLES or table in _EXCLUDED:
        raise ValueError(f"The table {table} is already registered.")
    _EXCLUDED[table] = reason


def audit_event(name: str, label: str) -> None:
    """Register an event that is no change of a row, such as a sign-in.

    Raises:
        ValueError: the event is already registered.
    """
    if name in _EVENTS:
        raise ValueError(f"The event {name} is already registered.")
    _EVENTS[name] = label


def audited_tables() -> dict[str, AuditedTable]:
    """Return the registered tables by name."""
    return dict(_TABLES)


def excluded_tables() -> dict[str, str]:
    """Return the reason of each excluded table."""
    return dict(_EXCLUDED)


def events() -> dict[str, str]:
    """Return the label of each event."""
    return dict(_EVENTS)
