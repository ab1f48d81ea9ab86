"""The identity of a run: requests with the same identity share one active run.

It is a SHA-256 over canonical JSON of scope, identity group and inputs. The user, the time and the
request are never part of it. Tests with fixed values keep it stable: a change of the canonical
form needs a new version prefix.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import unicodedata
import uuid
from collections.abc import Mapping, Sequence, Set
from typing import Any

VERSION = "v1"


def run_identity_hash(
    *, workspace_id: int, tenant_id: int | None, group: str, inputs: Mapping[str, Any]
) -> str:
    """Return 64 lower-case hex digits, equal exactly for requests with the same identity.

    Raises:
        TypeError: an input has no canonical form (a float, bytes, an object).
    """
    scope = {"workspace": workspace_id, "tenant": tenant_id}
    body = identity_json({"scope": scope, "group": group, "inputs": inputs})
    return hashlib.sha256(f"{VERSION}\0{body}".encode()).hexdigest()


def identity_json(value: object) -> str:
    """Return the same text for all values with the same meaning.

    Unlike `providers.graph.normalize.canonical_json`, which keeps a policy byte for byte, it
    unifies Unicode forms, sequence types, sets and time zones, and rejects floats.
    """
    return json.dumps(
        canonical_form(value),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def canonical_form(value: object) -> Any:
    """Return the value as JSON types: NFC text, UTC times, sorted sets."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return unicodedata.normalize("NFC", value)
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            if value.tzinfo is None:
                raise TypeError(f"A time in a run identity needs a time zone: {value.isoformat()}")
            in_utc = value.astimezone(dt.UTC).isoformat(timespec="microseconds")
            return in_utc.replace("+00:00", "Z")
        case dt.date():
            return value.isoformat()
        case Mapping():
            return {_key(key): canonical_form(item) for key, item in value.items()}
        case Set():
            items = {identity_json(item): canonical_form(item) for item in value}
            return [items[text] for text in sorted(items)]
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [canonical_form(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be part of a run identity: {value!r}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"Keys in a run identity must be text, not {key!r}")
    return unicodedata.normalize("NFC", key)
