"""Policy versions: each content is stored once per workspace, identified by its hash."""

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
    """Replace what PostgreSQL rejects in text: NUL and unpaired surrogates."""
    if isinstance(value, dict):
        return {_storable(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return value


_INSERT = """
INSERT INTO policy_versions
    (workspace_id, content_hash, normalized_hash, payload, size, created_at)
VALUES (%s, %s, %s, %s::jsonb, %s, clock_timestamp())
ON CONFLICT (workspace_id, content_hash) DO NOTHING RETURNING id
"""
_SELECT = """
SELECT id FROM policy_versions WHERE workspace_id = %s AND content_hash = %s FOR KEY SHARE
"""
ROUNDS = 10


def ensure_version(workspace_id: int, content: Content) -> int:
    """Return the id of the version with this content; create it if there is none.

    The caller's transaction locks the version until an item refers to it. Retention can delete an
    unreferenced version between the two statements, so they are repeated.
    """
    key: list[int | str] = [workspace_id, content.content_hash]
    values: list[int | str] = [content.normalized_hash, json.dumps(content.payload), content.size]
    with connection.cursor() as cursor:
        for _ in range(ROUNDS):
            cursor.execute(_INSERT, [*key, *values])
            row = cursor.fetchone()
            if row is None:
                cursor.execute(_SELECT, key)
                row = cursor.fetchone()
            if row:
                version_id: int = row[0]
                return version_id
    raise RuntimeError("a policy version could be neither stored nor found")
