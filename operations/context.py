"""The context of a run: provenance, inputs and target, written once at dispatch.

Known keys are listed here and nowhere else. Unknown keys are allowed; everything is redacted and
capped, when it is written and again when it is shown.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from redaction.json import sanitize_json

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32


class TargetScope(TypedDict, total=False):
    """What the run is about, in words that outlive a renaming."""

    tenant_name: str
    tenant_external_id: str
    kinds: list[str]


class Selection(TypedDict, total=False):
    """Which objects a bulk action was asked for."""

    kind: str
    ids: list[int]
    query: str
    count: int
    hash: str


class RunContext(TypedDict, total=False):
    """The known keys; each is optional."""

    provider_connection_id: int
    backup_schedule_id: int
    backup_schedule_run_id: int
    scheduled_for: str
    backup_set_id: int
    policy_id: int
    restore_run_id: int
    parent_run_id: int
    previous_run_id: int
    missed: dict[str, Any]
    target_scope: TargetScope
    selection: Selection
    idempotency: dict[str, Any]


@dataclass(frozen=True)
class ContextKey:
    """How a known key is called on a page, and the type that its value must have."""

    label: str
    type: type


KNOWN_KEYS: dict[str, ContextKey] = {
    "provider_connection_id": ContextKey("Connection", int),
    "backup_schedule_id": ContextKey("Schedule", int),
    "backup_schedule_run_id": ContextKey("Legacy schedule run", int),
    "scheduled_for": ContextKey("Slot (UTC)", str),
    "backup_set_id": ContextKey("Backup set", int),
    "policy_id": ContextKey("Policy", int),
    "restore_run_id": ContextKey("Restore", int),
    "parent_run_id": ContextKey("Part of run", int),
    "previous_run_id": ContextKey("Run that was still active", int),
    "missed": ContextKey("Missed slots", dict),
    "target_scope": ContextKey("Target", dict),
    "selection": ContextKey("Selection", dict),
    "idempotency": ContextKey("Inputs", dict),
}


class ContextError(ValueError):
    """The context breaks its contract; the text says where."""


def build_context(given: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The context to store: checked, redacted, with the inputs under `idempotency`.

    Raises:
        ContextError: a known key has the wrong type, or the whole is too large or too deep.
    """
    context = {**given, "idempotency": dict(inputs)}
    for key, known in KNOWN_KEYS.items():
        if key in context and not _has_type(context[key], known.type):
            raise ContextError(f"context[{key!r}] must be {known.type.__name__}")
    cleaned: dict[str, Any] = sanitize_json(context, max_depth=MAX_DEPTH, max_bytes=2 * MAX_BYTES)
    if len(json.dumps(cleaned)) > MAX_BYTES:
        raise ContextError(f"the context is larger than {MAX_BYTES // 1024} KB")
    return cleaned


def slot_text(slot: dt.datetime) -> str:
    """A slot as it stands in `scheduled_for`: UTC, whole minute, e.g. `2026-03-08T07:00Z`.

    Raises:
        ContextError: the time has no zone or is not a whole minute.
    """
    if slot.tzinfo is None or slot.second or slot.microsecond:
        raise ContextError("a slot is a whole minute with a zone")
    return slot.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


def parse_slot(text: str) -> dt.datetime:
    """The slot that `slot_text` wrote."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)


def _has_type(value: object, wanted: type) -> bool:
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
