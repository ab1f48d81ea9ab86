"""Share the items of objects that their list shows to be unchanged, so that they are not read again.

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

from backups.models import BackupSet, SharedItems
from providers.graph import normalize
from providers.graph.normalize import is_masked
from providers.graph.policy_kind import PolicyKind, as_listed, last_modified

#: Increase it if a capture contains more than before: then everything is read again once.
READING_RULES = 1
#: How far the clocks of Microsoft and of the database may differ, in minutes. An object that changed
#: less than this before it was read is read again.
CLOCK_SKEW_MINUTES = 5

# Of each object, the last item in any set, if its content is the one that the list shows. An item
# that a set shares was read again when that set was built, or not at all; the ids of a row are in
# order, so that most rows need no look at each of them. Twelve hours less, so that a backup that is
# daily at one time reads everything on the last day. Hashes of earlier versions have twice as many
# digits.
_UNCHANGED = """
WITH latest AS MATERIALIZED (
    SELECT item.id, item.graph_id, item.captured_at, listed.last_modified_at
    FROM unnest(%(graph_ids)s::text[], %(modified)s::timestamptz[], %(hashes)s::text[])
        AS listed (graph_id, last_modified_at, listed_hash)
    CROSS JOIN LATERAL (
        SELECT * FROM backup_items
        WHERE tenant_id = %(tenant)s AND kind = %(kind)s AND graph_id = listed.graph_id
          AND version_id IS NOT NULL
        ORDER BY id DESC LIMIT 1
    ) item
    WHERE item.complete AND left(item.listed_hash, %(digits)s) = listed.listed_hash
), read_again AS MATERIALIZED (
    SELECT item_id, max(backup_set.started_at) AS started_at
    FROM backup_sets backup_set
    JOIN backup_shared_items shared ON shared.set_id = backup_set.id
        AND shared.kind = %(kind)s AND shared.is_read
        AND shared.item_ids[1] <= (SELECT max(id) FROM latest)
        AND shared.item_ids[cardinality(shared.item_ids)] >= (SELECT min(id) FROM latest)
    CROSS JOIN unnest(shared.item_ids) AS item_id
    WHERE backup_set.tenant_id = %(tenant)s
      AND backup_set.started_at > clock_timestamp() - make_interval(days => %(days)s)
    GROUP BY item_id
)
SELECT latest.graph_id, latest.id
FROM latest LEFT JOIN read_again ON read_again.item_id = latest.id
CROSS JOIN LATERAL (SELECT greatest(latest.captured_at, read_again.started_at) AS at) read
WHERE read.at > clock_timestamp() - make_interval(days => %(days)s, hours => -12)
  AND read.at > latest.last_modified_at + make_interval(mins => %(skew)s)
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


def share_unchanged(
    backup_set: BackupSet, kind: PolicyKind, objects: Sequence[Listed], *, days: int
) -> set[str]:
    """Share the last items of unchanged objects with a set; return the Graph ids of these objects.

    A content that was read more than `days` ago is not taken.
    """
    comparable = [each for each in objects if each.listed_hash]
    if not (comparable and days):
        return set()
    values: dict[str, Any] = {
        "tenant": backup_set.tenant_id,
        "kind": kind.key,
        "graph_ids": [each.graph_id for each in comparable],
        "modified": [each.last_modified_at for each in comparable],
        "hashes": [each.listed_hash for each in comparable],
        "days": days,
        "skew": CLOCK_SKEW_MINUTES,
        "digits": _HASH_DIGITS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_UNCHANGED, values)
        unchanged: dict[str, int] = dict(cursor.fetchall())
    if not unchanged:
        return set()
    try:
        with transaction.atomic():
            SharedItems.objects.create(
                workspace=backup_set.workspace,
                tenant=backup_set.tenant,
                backup_set=backup_set,
                kind=kind.key,
                is_read=False,
                item_ids=sorted(unchanged.values()),
            )
    except IntegrityError:
        # Retention has just deleted one of the items.
        return set()
    return set(unchanged)
