"""Build a backup set: record what was listed, what was read, and what is missing.

Every write is a short, separate transaction, so that what was reported is stored even if the
worker dies immediately afterward.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from backups import reuse
from backups.models import BackupItem, BackupSchedule, BackupSet, PolicyVersion, SetStatus
from backups.versions import Content, store_content
from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.policy_kind import Capture, PolicyKind, last_modified
from redaction.text import sanitize_text
from tenancy.db import call_function

#: The reason code of an object that was listed but not read.
NOT_ATTEMPTED = "not_attempted_in_set"
Json = Mapping[str, Any]


@contextmanager
def building(
    run: ActiveRun, schedule: BackupSchedule, parent: BackupSet | None
) -> Iterator[BackupSet]:
    """Create a set for the run and finish it when the block ends, with or without an error.

    A run that is blocked before it has listed an object leaves no set.
    """
    kinds = schedule.kinds
    if parent:
        kinds = [*parent.kinds, *parent.unlicensed_kinds]
    backup_set = BackupSet.objects.create(
        workspace=run.workspace,
        tenant=run.tenant,
        schedule=schedule,
        operation_run=run.run,
        parent=parent,
        kinds=kinds,
    )
    try:
        yield backup_set
    except Blocked:
        if backup_set.items.exists():
            finish(backup_set)
        else:
            call_function("backup_sets_delete", backup_set.pk)
        raise
    except BaseException:
        finish(backup_set)
        raise
    finish(backup_set)


def close_abandoned(schedule: BackupSchedule) -> None:
    """Finish the sets of lost runs; the caller's is the only active run of the schedule."""
    for abandoned in BackupSet.objects.filter(schedule=schedule, status=SetStatus.BUILDING):
        finish(abandoned)


@transaction.atomic
def finish(backup_set: BackupSet) -> None:
    """Finish a set: set its counts, its end and its status.

    It is complete only if every kind was listed completely and every item was read completely.
    """
    locked = BackupSet.objects.select_for_update().get(pk=backup_set.pk)
    if locked.status != SetStatus.BUILDING:
        return
    locked.item_count = locked.items.count()
    locked.incomplete_count = locked.own_items.incomplete().count()
    if not (locked.missing_kinds or locked.incomplete_count):
        locked.status = SetStatus.COMPLETE
    elif locked.item_count > locked.incomplete_count:
        locked.status = SetStatus.INCOMPLETE
    else:
        locked.status = SetStatus.FAILED
    locked.ended_at = Now()
    locked.save()
    backup_set.refresh_from_db()


def add_listed(
    backup_set: BackupSet,
    kind: PolicyKind,
    entries: Iterable[Json],
    *,
    reads_encrypted_values: bool = False,
    reuse_days: int = 0,
) -> int:
    """Add an item for each listed object, before any of them is read.

    Of an unchanged object whose content was read within `reuse_days`, the set shares the item of an
    earlier set; the number of these is returned.
    """
    objects = [
        reuse.Listed(
            graph_id=entry["id"],
            name=_name(kind, entry),
            last_modified_at=last_modified(entry),
            listed_hash=reuse.listed_hash(
                kind, entry, reads_encrypted_values=reads_encrypted_values
            ),
        )
        for entry in entries
    ]
    unchanged = reuse.share_unchanged(backup_set, kind, objects, days=reuse_days)
    BackupItem.objects.bulk_create(
        BackupItem(
            workspace=backup_set.workspace,
            tenant=backup_set.tenant,
            backup_set=backup_set,
            kind=kind.key,
            graph_id=each.graph_id,
            name=each.name,
            reason_code=NOT_ATTEMPTED,
            last_modified_at=each.last_modified_at,
            listed_hash=each.listed_hash,
        )
        for each in objects
        if each.graph_id not in unchanged
    )
    return len(unchanged)


def set_listed(backup_set: BackupSet, kind: str) -> None:
    """Record that a kind was listed completely."""
    backup_set.listed_kinds = [*backup_set.listed_kinds, kind]
    backup_set.save(update_fields=["listed_kinds"])


def set_unlisted(backup_set: BackupSet, kind: str, reason_code: str) -> None:
    """Record why a kind could not be listed completely."""
    backup_set.unlisted = {**backup_set.unlisted, kind: reason_code}
    backup_set.save(update_fields=["unlisted"])


def set_left_out(backup_set: BackupSet, kind: str, left_out: Mapping[str, int]) -> None:
    """Record how many objects in the list of a kind are of types that no kind contains."""
    backup_set.left_out = {**backup_set.left_out, kind: dict(left_out)}
    backup_set.save(update_fields=["left_out"])


def leave_out(backup_set: BackupSet, kind: str, reason_code: str) -> None:
    """Remove a kind from the kinds of the set, and record why."""
    backup_set.kinds = [other for other in backup_set.kinds if other != kind]
    backup_set.unlisted = {**backup_set.unlisted, kind: reason_code}
    backup_set.save(update_fields=["kinds", "unlisted"])


_SHARE_COMPLETE_ITEMS = """
INSERT INTO backup_shared_items (workspace_id, tenant_id, set_id, kind, is_read, item_ids)
SELECT item.workspace_id, item.tenant_id, %s, item.kind, false, array_agg(item.id ORDER BY item.id)
FROM backup_set_items member JOIN backup_items item ON item.id = member.item_id
WHERE member.set_id = %s AND item.complete
GROUP BY item.workspace_id, item.tenant_id, item.kind
"""


@transaction.atomic
def share_complete_items(backup_set: BackupSet, parent: BackupSet) -> None:
    """Share the items that an earlier set read completely, so that they are not read again."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARE_COMPLETE_ITEMS, [backup_set.pk, parent.pk])
    incomplete_kinds = parent.items.incomplete().values_list("kind", flat=True)
    backup_set.listed_kinds = sorted(set(parent.listed_kinds) - set(incomplete_kinds))
    backup_set.save(update_fields=["listed_kinds"])


def store(item: BackupItem, kind: PolicyKind, captured: Capture) -> str:
    """Store what was read of an item; return `created`, `updated` or `unchanged`.

    The content is compared with the last version of the same object in any set.
    """
    return _store(item, kind, captured, _read_into(item, kind, captured))


def store_complete(
    backup_set: BackupSet, read: Sequence[tuple[BackupItem, PolicyKind, Capture]]
) -> list[str]:
    """Store what was read completely of some items of a set; return what `store` returns for each.

    The set shares the last item of an object instead if that is the same in all but the time of the
    read. The row of the set's item is deleted then.
    """
    contents = [_read_into(item, kind, captured) for item, kind, captured in read]
    replaced = call_function(
        "backup_items_share",
        backup_set.pk,
        [item.pk for item, _, _ in read],
        [content.content_hash for content in contents],
        [item.name for item, _, _ in read],
        [item.last_modified_at for item, _, _ in read],
    )
    return [
        "unchanged" if item.pk in replaced else _store(item, kind, captured, content)
        for (item, kind, captured), content in zip(read, contents, strict=True)
    ]


def _read_into(item: BackupItem, kind: PolicyKind, captured: Capture) -> Content:
    """Set the values of an item to what was read; return its content."""
    content = Content.of(kind, captured.payload)
    item.name = _name(kind, content.payload)
    item.complete, item.missing = captured.complete, captured.missing
    item.reason_code = "" if captured.complete else "incomplete_capture"
    item.last_modified_at = last_modified(content.payload) or item.last_modified_at
    return content


def _store(item: BackupItem, kind: PolicyKind, captured: Capture, content: Content) -> str:
    previous = store_content(item, content, age=time.monotonic() - captured.read_at)
    if previous.version_id is None:
        return "created"
    normalized_hash = previous.normalized_hash
    if normalized_hash != content.normalized_hash:
        # The hash can be that of an earlier Runledger, which compared by other rules.
        versions = PolicyVersion.objects.values_list("payload", flat=True)
        normalized_hash = kind.content_hash(versions.get(pk=previous.version_id))
    return "unchanged" if normalized_hash == content.normalized_hash else "updated"


def set_failed(item: BackupItem, reason_code: str) -> None:
    """Record why an item could not be read."""
    BackupItem.objects.filter(pk=item.pk).update(reason_code=reason_code)


def _name(kind: PolicyKind, entry: Json) -> str:
    return sanitize_text(kind.name_of(entry), max_length=300) or str(entry.get("id", ""))[:300]
