"""Record what changed since the set before: the counts of a set, and a row for each change.

A backup records the changes of the set that it finishes. `record_missing` does so for the sets of lost runs, of
an earlier version, and of a run that was cancelled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models.functions import Now

from backups.changes import previous_of
from backups.diff import field_changes
from backups.models import (
    AuthorGap,
    BackupItem,
    BackupSet,
    Change,
    PolicyChange,
    SetPurpose,
    SetStatus,
)
from operations.states import RunStatus
from providers.graph.kinds import KINDS
from redaction.text import sanitize_text

#: The number of paths that a change lists.
MAX_FIELDS = 20
#: Contents are compared field by field for this many changes of a set, a few at a time.
MAX_COMPARED, COMPARED_AT_ONCE = 500, 20
#: The number of sets that a tick compares.
MAX_SETS = 200

#: Sets the authors of the changes of a set, before they are stored.
SetAuthors = Callable[[BackupSet, Sequence[PolicyChange]], None]


@dataclass(frozen=True)
class _Differing:
    """An object that differs; `is_known`: its state now is already recorded."""

    change: str
    kind: str
    graph_id: str
    name: str
    item_id: int | None
    before_id: int | None
    content_hash: str
    is_known: bool


_DIFFERENCES = """
SELECT now.*, latest.content_hash IS NOT NULL AND latest.content_hash = now.content_hash
FROM backup_sets_compare(%(later)s, %(earlier)s) now
LEFT JOIN LATERAL (
    SELECT content_hash FROM policy_changes
    WHERE tenant_id = %(tenant)s AND kind = now.kind AND graph_id = now.graph_id
      AND created_at <= %(ended_at)s
    ORDER BY created_at DESC, id DESC LIMIT 1
) latest ON true
"""


def record_changes(backup_set: BackupSet, set_authors: SetAuthors | None = None) -> None:
    """Compare a finished set with the one before it, once; store the counts and the changes.

    A failed set is not compared, because it contains nothing.
    """
    earlier = None
    if backup_set.status != SetStatus.FAILED:
        earlier = previous_of(backup_set)
    rows = _differences(backup_set, earlier) if earlier else []
    changes = [_change(backup_set, earlier, each) for each in rows if not each.is_known]
    _set_fields(changes)
    if set_authors and changes:
        set_authors(backup_set, changes)
    counts = Counter(each.change for each in rows)
    with transaction.atomic():
        locked = BackupSet.objects.select_for_update().filter(pk=backup_set.pk, compared_at=None)
        if not locked.exists():
            return
        PolicyChange.objects.bulk_create(changes, batch_size=500)
        locked.update(
            compared_at=Now(),
            compared_with=earlier,
            created_count=counts[Change.CREATED] if earlier else None,
            changed_count=counts[Change.CHANGED] if earlier else None,
            removed_count=counts[Change.REMOVED] if earlier else None,
        )


def record_missing() -> None:
    """Record the changes of finished sets that were not compared, at most `MAX_SETS`."""
    uncompared = BackupSet.objects.filter(compared_at=None, purpose=SetPurpose.SCHEDULE)
    uncompared = uncompared.exclude(status=SetStatus.BUILDING)
    # A backup that is still active records its own changes, with their authors.
    uncompared = uncompared.exclude(operation_run__status__in=(RunStatus.QUEUED, RunStatus.RUNNING))
    for backup_set in uncompared.order_by("started_at", "id")[:MAX_SETS]:
        record_changes(backup_set)


def _differences(backup_set: BackupSet, earlier: BackupSet) -> list[_Differing]:
    values = {
        "later": backup_set.pk,
        "earlier": earlier.pk,
        "tenant": backup_set.tenant_id,
        "ended_at": backup_set.ended_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, values)
        return [_Differing(*row) for row in cursor.fetchall()]


def _change(backup_set: BackupSet, earlier: BackupSet | None, row: _Differing) -> PolicyChange:
    assert backup_set.ended_at
    return PolicyChange(
        workspace_id=backup_set.workspace_id,
        tenant_id=backup_set.tenant_id,
        backup_set=backup_set,
        previous_set=earlier,
        item_id=row.item_id,
        before_id=row.before_id,
        change=row.change,
        kind=row.kind,
        graph_id=row.graph_id,
        name=row.name,
        content_hash=row.content_hash,
        author_gap=AuthorGap.NOT_READ,
        created_at=backup_set.ended_at,
    )


def _set_fields(changes: Iterable[PolicyChange]) -> None:
    """Set the changed fields of the first changes."""
    changed = [each for each in changes if each.change == Change.CHANGED and each.kind in KINDS]
    for first in range(0, min(len(changed), MAX_COMPARED), COMPARED_AT_ONCE):
        batch = changed[first : first + COMPARED_AT_ONCE]
        ids = [item_id for each in batch for item_id in (each.item_id, each.before_id)]
        items = BackupItem.objects.select_related("version").in_bulk(ids)
        for each in batch:
            paths = _changed_paths(each, items)
            each.fields, each.field_count = paths[:MAX_FIELDS], len(paths)


def _changed_paths(change: PolicyChange, items: dict[int, BackupItem]) -> list[str]:
    before, after = (
        version.payload
        for item_id in (change.before_id, change.item_id)
        if item_id and (version := items[item_id].version)
    )
    differences = field_changes(KINDS[change.kind], before, after)
    return list(dict.fromkeys(sanitize_text(each.path, 300) for each in differences))
