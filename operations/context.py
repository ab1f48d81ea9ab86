"""The context of a run: provenance, inputs and target, written once at dispatch.

The keys of the ledger are listed here; apps register theirs. Unknown keys are allowed. Everything is
redacted and capped, when it is written and again when it is shown.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redaction.json import sanitize_json

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32


@dataclass(frozen=True)
class ContextKey:
    """The label of a known key on a page, and the type that its value must have."""

    label: str
    type: type


#: The known keys by name, in the order in which pages show them.
KNOWN_KEYS: dict[str, ContextKey] = {
    "target_scope": ContextKey("Target", dict),
    "scheduled_for": ContextKey("Slot (UTC)", str),
    "parent_run_id": ContextKey("Parent run", int),
    "selection": ContextKey("Selection", dict),
    "idempotency": ContextKey("Inputs", dict),
}


def register_context_key(name: str, label: str, value_type: type) -> None:
    """Make a key of an app known, so that its type is checked and pages show its label.

    Raises:
        ValueError: the key is known already.
    """
    if name in KNOWN_KEYS:
        raise ValueError(f"The context key {name} is known already.")
    KNOWN_KEYS[name] = ContextKey(label, value_type)


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


def format_slot(slot: dt.datetime) -> str:
    """A slot as it stands in `scheduled_for`: UTC, whole minute, e.g. `2026-03-08T07:00Z`.

    Raises:
        ContextError: the time has no zone or is not a whole minute.
    """
    if slot.tzinfo is None or slot.second or slot.microsecond:
        raise ContextError("a slot is a whole minute with a zone")
    return slot.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


def parse_slot(text: str) -> dt.datetime:
    """The slot that `format_slot` wrote."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)


def _has_type(value: object, wanted: type) -> bool:
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
