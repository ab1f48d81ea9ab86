"""Policy versions: each content is stored once per workspace, identified by its hash."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

from backups.models import BackupItem
from providers.graph.normalize import canonical_json
from providers.graph.policy_kind import PolicyKind
from redaction import exact_json


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


# One statement: a backup executes it for each object that it reads. The version is locked until the
# item refers to it. No item was read before its set began, except for the copies of earlier versions.
_STORE = """
WITH previous AS (
    SELECT version.id, version.normalized_hash
    FROM backup_items earlier JOIN policy_versions version ON version.id = earlier.version_id
    WHERE earlier.tenant_id = %(tenant)s AND earlier.kind = %(kind)s
      AND earlier.graph_id = %(graph_id)s
    ORDER BY earlier.id DESC LIMIT 1
), added AS (
    INSERT INTO policy_versions
        (workspace_id, content_hash, normalized_hash, payload, size, created_at)
    VALUES (%(workspace)s, %(content_hash)s, %(normalized_hash)s, %(payload)s::jsonb, %(size)s,
            clock_timestamp())
    ON CONFLICT (workspace_id, content_hash) DO NOTHING RETURNING id
), existing AS (
    SELECT id FROM policy_versions
    WHERE workspace_id = %(workspace)s AND content_hash = %(content_hash)s FOR KEY SHARE
)
UPDATE backup_items item
SET version_id = version.id, name = %(name)s, complete = %(complete)s,
    missing = %(missing)s::jsonb, reason_code = %(reason_code)s,
    captured_at = greatest(
        statement_timestamp() - make_interval(secs => %(age)s),
        (SELECT started_at FROM backup_sets WHERE id = item.set_id)),
    last_modified_at = %(last_modified_at)s
FROM (SELECT id FROM added UNION ALL SELECT id FROM existing) version
WHERE item.id = %(item)s
RETURNING (SELECT id FROM previous), (SELECT normalized_hash FROM previous)
"""
ROUNDS = 10


@dataclass(frozen=True)
class Previous:
    """The version that an object had before, in any set; both are None if there is none."""

    version_id: int | None
    normalized_hash: str | None


def store_content(item: BackupItem, content: Content, *, age: float = 0) -> Previous:
    """Write the values of an item with the version of its content; create it if there is none.

    The content was read `age` seconds ago.

    Another transaction can create the version, or delete it because nothing refers to it, while the
    statement is executed. It finds no version then, and is repeated.
    """
    values: dict[str, Any] = {
        "item": item.pk,
        "tenant": item.tenant_id,
        "workspace": item.workspace_id,
        "kind": item.kind,
        "graph_id": item.graph_id,
        "name": item.name,
        "complete": item.complete,
        "missing": json.dumps(item.missing),
        "reason_code": item.reason_code,
        "last_modified_at": item.last_modified_at,
        "content_hash": content.content_hash,
        "normalized_hash": content.normalized_hash,
        "payload": exact_json.dumps(content.payload),
        "size": content.size,
        "age": age,
    }
    with connection.cursor() as cursor:
        for _ in range(ROUNDS):
            cursor.execute(_STORE, values)
            if row := cursor.fetchone():
                return Previous(*row)
    raise RuntimeError("a policy version could be neither stored nor read")
