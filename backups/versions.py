"""Contents: each is stored once in a workspace, under the hash of what it says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind


@dataclass(frozen=True)
class Content:
    """A payload with its hashes, ready to be stored."""

    payload: dict[str, Any]
    content_hash: str
    normalized_hash: str
    size: int

    @classmethod
    def of(cls, kind: PolicyKind, payload: dict[str, Any]) -> Content:
        storable: dict[str, Any] = _storable(payload)
        body = canonical_json(storable)
        return cls(
            payload=storable,
            content_hash=hashlib.sha256(body).hexdigest(),
            normalized_hash=kind.content_hash(storable),
            size=len(body),
        )


def _storable(value: Any) -> Any:
    """What Postgres takes as text: no NUL and no half of a surrogate pair."""
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, str):
        text = value.replace("\x00", "\ufffd")
        return text.encode("utf-8", "replace").decode() if _has_surrogate(text) else text
    return value


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


_INSERT = """
INSERT INTO policy_versions
    (workspace_id, content_hash, normalized_hash, payload, size, created_at)
VALUES (%s, %s, %s, %s::jsonb, %s, clock_timestamp())
ON CONFLICT (workspace_id, content_hash) DO NOTHING RETURNING id
"""
_FIND = """
SELECT id FROM policy_versions WHERE workspace_id = %s AND content_hash = %s FOR KEY SHARE
"""
ROUNDS = 10


def ensure_version(workspace_id: int, content: Content) -> int:
    """The id of the version with this content, made if there was none.

    The caller's transaction holds the version until it is referred to: retention, which deletes
    what nothing refers to, may take the row between the two statements, hence the loop.
    """
    place: list[int | str] = [workspace_id, content.content_hash]
    rest: list[int | str] = [content.normalized_hash, json.dumps(content.payload), content.size]
    with connection.cursor() as cursor:
        for _ in range(ROUNDS):
            cursor.execute(_INSERT, [*place, *rest])
            found = cursor.fetchone()
            if found is None:
                cursor.execute(_FIND, place)
                found = cursor.fetchone()
            if found:
                version_id: int = found[0]
                return version_id
    raise RuntimeError("a policy version could be neither stored nor found")
