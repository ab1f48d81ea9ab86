"""The context of a run: provenance, inputs and target, written once at dispatch.

Only `repeated` changes later: a blocked run of a slot also stands for the slots after it that were
blocked for the same reason. It holds their number and the first and last one.

The keys of the ledger are listed here; apps register more. Unknown keys are allowed. Values are
redacted and limited in size when they are written, and redacted again when they are shown.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redaction.json import sanitize_json

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32


@dataclass(frozen=True)
class ContextKey:
    """The label of a known key on a page, and the required type of its value.

    A key `of_one_run` says why there was this run, such as its slot; a repetition does not have it.
    """

    label: str
    type: type
    of_one_run: bool = False


@dataclass(frozen=True)
class RepeatedSlots:
    """The slots for which one blocked run stands: their number, the first and the last."""

    count: int
    first: dt.datetime
    last: dt.datetime


#: The known keys by name, in the order in which pages show them.
KNOWN_KEYS: dict[str, ContextKey] = {
    "target_scope": ContextKey("Target", dict),
    "scheduled_for": ContextKey("Slot (UTC)", str, of_one_run=True),
    "repeated": ContextKey("Repeated slots", dict, of_one_run=True),
    "parent_run_id": ContextKey("Parent run", int, of_one_run=True),
    "previous_run_id": ContextKey("Run that was still active", int, of_one_run=True),
    "selection": ContextKey("Selection", dict),
    "idempotency": ContextKey("Inputs", dict),
}


def register_context_key(
    name: str, label: str, value_type: type, *, of_one_run: bool = False
) -> None:
    """Register a key of an app, so that its type is checked and pages show its label.

    Raises:
        ValueError: the key is already registered.
    """
    if name in KNOWN_KEYS:
        raise ValueError(f"The context key {name} is already registered.")
    KNOWN_KEYS[name] = ContextKey(label, value_type, of_one_run)


class ContextError(ValueError):
    """The context is not valid; the message says why."""


def build_context(values: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context to store: validated, redacted, with the inputs under `idempotency`.

    Raises:
        ContextError: a known key has the wrong type, or the context is too large or too deep.
    """
    context = {**values, "idempotency": dict(inputs)}
    for key, known in KNOWN_KEYS.items():
        if key not in context:
            continue
        value = context[key]
        # A bool is an int to Python, but not a number here.
        is_bool_for_int = known.type is int and isinstance(value, bool)
        if not isinstance(value, known.type) or is_bool_for_int:
            raise ContextError(f"context[{key!r}] must be {known.type.__name__}")
    cleaned: dict[str, Any] = sanitize_json(context, max_depth=MAX_DEPTH, max_bytes=2 * MAX_BYTES)
    if len(json.dumps(cleaned)) > MAX_BYTES:
        raise ContextError(f"the context is larger than {MAX_BYTES // 1024} KB")
    return cleaned


def format_slot(slot: dt.datetime) -> str:
    """Return a slot as stored in `scheduled_for`: a UTC minute such as `2026-03-08T07:00Z`.

    Raises:
        ContextError: the time has no time zone or is not a whole minute.
    """
    if slot.tzinfo is None or slot.second or slot.microsecond:
        raise ContextError("a slot is a whole minute with a time zone")
    return slot.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


#: The rows of a page have few different slots.
@functools.lru_cache(maxsize=5000)
def parse_slot(text: str) -> dt.datetime:
    """Return the slot that `format_slot` wrote."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=dt.UTC)


def slot_of(context: Mapping[str, Any]) -> dt.datetime | None:
    """Return the slot of a run's context; None if no schedule started the run."""
    try:
        return parse_slot(str(context.get("scheduled_for", "")))
    except ValueError:
        return None


def repeated_slots_of(context: Mapping[str, Any]) -> RepeatedSlots | None:
    """Return the slots for which a blocked run stands; None for one slot."""
    if not (repeated := context.get("repeated")):
        return None
    return RepeatedSlots(
        repeated["slots"], parse_slot(repeated["first"]), parse_slot(repeated["last"])
    )
