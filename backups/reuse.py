"""Reuse the contents of objects that their list shows to be unchanged, so that they are not read again.

An object is unchanged if its entry in the list is the one that it had before its content was read:
with the same time of its last change, the same `@odata.etag` if it has one, and the same assignments.
A list that does not show these is no proof, and neither is a list of objects with links to others or
a time that is so close to that of the read that a later change could have the same one. What a list
cannot show at all is found by the full read that follows within `BACKUP_FULL_READ_DAYS`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.conf import settings
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

# Twelve hours less, so that a backup that is daily at one time reads everything on the last day.
_REUSE = """
UPDATE backup_items now
SET version_id = earlier.version_id, name = earlier.name, complete = true, missing = '[]',
    reason_code = '', captured_at = earlier.captured_at, last_modified_at = earlier.last_modified_at
FROM backup_items listed CROSS JOIN LATERAL (
    SELECT * FROM backup_items candidate
    WHERE candidate.tenant_id = listed.tenant_id AND candidate.kind = listed.kind
      AND candidate.graph_id = listed.graph_id AND candidate.id < listed.id
      AND candidate.version_id IS NOT NULL
    ORDER BY candidate.id DESC LIMIT 1
) earlier
WHERE now.id = listed.id AND listed.set_id = %(set)s AND listed.kind = %(kind)s
  AND NOT listed.complete AND listed.listed_hash <> ''
  AND earlier.complete AND earlier.listed_hash = listed.listed_hash
  AND earlier.captured_at > clock_timestamp() - make_interval(days => %(days)s, hours => -12)
  AND earlier.captured_at > listed.last_modified_at + make_interval(mins => %(skew)s)
RETURNING now.id
"""


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
    return hashlib.sha256(normalize.canonical_json(state)).hexdigest()


def reuse_unchanged(backup_set: BackupSet, kind: PolicyKind) -> int:
    """Complete the listed items of a kind that did not change; return their number."""
    days = settings.BACKUP_FULL_READ_DAYS
    if not days or kind.read is as_listed:
        return 0
    values = {
        "set": backup_set.pk,
        "kind": kind.key,
        "days": days,
        "skew": CLOCK_SKEW_MINUTES,
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_REUSE, values)
            return len(cursor.fetchall())
    except IntegrityError:
        # Retention has just deleted one of the versions.
        return 0
