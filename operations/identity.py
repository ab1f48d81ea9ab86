"""What makes two requests the same operation.

The identity is a SHA-256 over canonical JSON of scope, identity group and inputs. Who asked, when
and in which request is never part of it. The golden values in the tests keep it stable: changing
the form of the text needs a new version prefix.
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
    """64 lower-case hex digits that are equal exactly for requests of the same operation.

    Raises:
        TypeError: an input has no canonical form (a float, bytes, an object).
    """
    scope = {"workspace": workspace_id, "tenant": tenant_id}
    body = identity_json({"scope": scope, "group": group, "inputs": inputs})
    return hashlib.sha256(f"{VERSION}\0{body}".encode()).hexdigest()


def identity_json(value: object) -> str:
    """Return the same text for all values that mean the same.

    Unlike `providers.graph.normalize.canonical_json`, which keeps a policy byte for byte, it
    unifies Unicode forms, kinds of sequences, sets and zones, and rejects floats.
    """
    return json.dumps(
        canonical_form(value),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )


def canonical_form(value: object) -> Any:
    """Return the value as plain JSON types: NFC texts, UTC times, sorted sets."""
    match value:
        case None | bool() | int():
            return value
        case str():
            return unicodedata.normalize("NFC", value)
        case uuid.UUID():
            return str(value)
        case dt.datetime():
            return _utc(value)
        case dt.date():
            return value.isoformat()
        case Mapping():
            return {_key(key): canonical_form(item) for key, item in value.items()}
        case Set():
            items = {identity_json(item): canonical_form(item) for item in value}
            return [items[text] for text in sorted(items)]
        case Sequence() if not isinstance(value, bytes | bytearray):
            return [canonical_form(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no place in a run's identity: {value!r}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"Keys of a run's identity are text, not {key!r}")
    return unicodedata.normalize("NFC", key)


def _utc(value: dt.datetime) -> str:
    if value.tzinfo is None:
        raise TypeError(f"A time in a run's identity needs a zone: {value.isoformat()}")
    return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
