"""Reuse the contents of objects that their list shows to be unchanged, so that they are not read again.

An object is unchanged if its entry in the list is the one that it had before its content was read:
with the same time of its last change, the same `@odata.etag` if it has one, and the same assignments.
A list that does not show these is no proof, and neither is a list of objects with links to others or
a time that is so close to that of the read that a later change could have the same one. What a list
cannot show at all is found by the full read that follows within `BACKUP_FULL_READ_DAYS`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, connection, transaction

from backups.models import BackupSet
from providers.graph import normalize
from providers.graph.normalize import is_masked
from providers.graph.policy_kind import PolicyKind, as_listed, last_modified

#: Increase it if a capture contains more than before: then everything is read again once.
READING_RULES = 1
#: How far the clocks of Microsoft and of the database may differ, in minutes. An object that changed
#: less than this before it was read is read again.
CLOCK_SKEW_MINUTES = 5

# Of each object, the last content in any set, if it is the one that the list shows. Twelve hours less,
# so that a backup that is daily at one time reads everything on the last day. Hashes of earlier
# versions have twice as many digits.
_ADD = """
INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, version_id,
                          complete, missing, reason_code, captured_at, last_modified_at,
                          listed_hash)
SELECT %(workspace)s, %(tenant)s, %(set)s, %(kind)s, listed.graph_id,
       COALESCE(earlier.name, listed.name), earlier.version_id, earlier.id IS NOT NULL, '[]',
       CASE WHEN earlier.id IS NULL THEN %(reason)s ELSE '' END, earlier.captured_at,
       COALESCE(earlier.last_modified_at, listed.last_modified_at), listed.listed_hash
FROM unnest(%(graph_ids)s::text[], %(names)s::text[], %(modified)s::timestamptz[],
            %(hashes)s::text[]) WITH ORDINALITY
    AS listed (graph_id, name, last_modified_at, listed_hash, position)
LEFT JOIN LATERAL (
    SELECT * FROM (
        SELECT * FROM backup_items
        WHERE listed.listed_hash <> '' AND %(days)s > 0
          AND tenant_id = %(tenant)s AND kind = %(kind)s AND graph_id = listed.graph_id
          AND version_id IS NOT NULL
        ORDER BY id DESC LIMIT 1
    ) latest
    WHERE complete AND left(latest.listed_hash, %(digits)s) = listed.listed_hash
      AND captured_at > clock_timestamp() - make_interval(days => %(days)s, hours => -12)
      AND captured_at > listed.last_modified_at + make_interval(mins => %(skew)s)
) earlier ON true
ORDER BY listed.position
RETURNING complete
"""
_HASH_DIGITS = 32


@dataclass(frozen=True)
class Listed:
    """An object as its list shows it."""

    graph_id: str
    name: str
    last_modified_at: dt.datetime | None
    listed_hash: str


def listed_hash(
    kind: PolicyKind, entry: Mapping[str, Any], *, reads_encrypted_values: bool = False
) -> str:
    """Return the hash of what a list shows of an object; empty if that does not show each change.

    Kinds whose list contains the whole object have none: they are never read separately. If
    encrypted values are read, an object with some is always read, as a list shows only their masks.
    """
    if reads_encrypted_values and any(map(is_masked, entry.get("omaSettings") or [])):
        return ""
    shows_assignments = (
        isinstance(entry.get("assignments"), list) and "assignments@odata.nextLink" not in entry
    )
    is_whole = shows_assignments and last_modified(entry) is not None and not kind.links(entry)
    if kind.read is as_listed or not is_whole:
        return ""
    state = {
        "rules": [READING_RULES, getattr(kind.read, "__qualname__", ""), dict(kind.detail_params)],
        "modified": entry.get("lastModifiedDateTime") or entry.get("modifiedDateTime"),
        "etag": entry.get("@odata.etag"),
        "content": normalize.content(dict(entry), kind.noise),
    }
    return hashlib.sha256(normalize.canonical_json(state)).hexdigest()[:_HASH_DIGITS]


def add_items(
    backup_set: BackupSet, kind: PolicyKind, objects: Sequence[Listed], reason: str, *, days: int
) -> int:
    """Add an item for each object; return the number of those with the content of an earlier set.

    The other items are incomplete for the reason. A content that was read more than `days` ago is
    not taken.
    """
    values: dict[str, Any] = {
        "workspace": backup_set.workspace_id,
        "tenant": backup_set.tenant_id,
        "set": backup_set.pk,
        "kind": kind.key,
        "reason": reason,
        "graph_ids": [each.graph_id for each in objects],
        "names": [each.name for each in objects],
        "modified": [each.last_modified_at for each in objects],
        "hashes": [each.listed_hash for each in objects],
        "days": days,
        "skew": CLOCK_SKEW_MINUTES,
        "digits": _HASH_DIGITS,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_ADD, values)
            return sum(is_reused for (is_reused,) in cursor.fetchall())
    except IntegrityError:
        if not days:
            raise
        # Retention has just deleted one of the versions.
        return add_items(backup_set, kind, objects, reason, days=0)
