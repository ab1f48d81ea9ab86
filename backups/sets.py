"""Building a backup set: what was listed, what was read, and whether anything is missing.

Every write is a short transaction of its own, so that what has been reported is there even if the
worker dies in the next moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from backups.models import BackupItem, BackupSchedule, BackupSet, SetStatus
from backups.versions import Content, ensure_version
from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.policy_kind import Captured, PolicyKind, last_modified
from redaction.text import sanitize_text

#: An object that has been listed and not yet read.
NOT_ATTEMPTED = "not_attempted_in_set"
Json = Mapping[str, Any]


@contextmanager
def building(
    run: ActiveRun, schedule: BackupSchedule, parent: BackupSet | None
) -> Iterator[BackupSet]:
    """A new set for the run, finished when the block ends, however it ends.

    A run that was blocked before anything was listed leaves no set behind.
    """
    backup_set = BackupSet.objects.create(
        workspace=run.workspace,
        tenant=run.tenant,
        schedule=schedule,
        operation_run=run.run,
        parent=parent,
        kinds=[*parent.kinds, *parent.unlicensed_kinds] if parent else schedule.kinds,
    )
    try:
        yield backup_set
    except Blocked:
        if not backup_set.items.exists():
            backup_set.delete()
        else:
            finish(backup_set)
        raise
    except BaseException:
        finish(backup_set)
        raise
    finish(backup_set)


def close_abandoned(schedule: BackupSchedule) -> None:
    """Finish sets whose worker died; the caller's is the only active run of the schedule."""
    for left in BackupSet.objects.filter(schedule=schedule, status=SetStatus.BUILDING):
        finish(left)


@transaction.atomic
def finish(backup_set: BackupSet) -> None:
    """Close a set. It is complete only if every kind was listed to its end and every item read."""
    locked = BackupSet.objects.select_for_update().get(pk=backup_set.pk)
    if locked.status != SetStatus.BUILDING:
        return
    locked.item_count = locked.items.count()
    locked.incomplete_count = locked.items.incomplete().count()
    locked.status = _status(locked)
    locked.ended_at = timezone.now()
    locked.save()
    backup_set.refresh_from_db()


def _status(backup_set: BackupSet) -> SetStatus:
    if not (backup_set.missing_kinds or backup_set.incomplete_count):
        return SetStatus.COMPLETE
    whole = backup_set.item_count - backup_set.incomplete_count
    return SetStatus.INCOMPLETE if whole else SetStatus.FAILED


@transaction.atomic
def add_listed(backup_set: BackupSet, kind: PolicyKind, listed: Iterable[Json]) -> None:
    """Note objects as expected, before any of them is read."""
    items = [
        BackupItem(
            workspace_id=backup_set.workspace_id,
            tenant_id=backup_set.tenant_id,
            backup_set=backup_set,
            kind=kind.key,
            graph_id=entry["id"],
            name=_name(kind, entry),
            reason_code=NOT_ATTEMPTED,
            last_modified_at=last_modified(entry),
        )
        for entry in listed
    ]
    BackupItem.objects.bulk_create(items, batch_size=500)


def set_listed(backup_set: BackupSet, kind: str) -> None:
    """Note that a kind was listed to its end."""
    backup_set.listed_kinds = [*backup_set.listed_kinds, kind]
    backup_set.save(update_fields=["listed_kinds"])


def set_unlisted(backup_set: BackupSet, kind: str, reason_code: str) -> None:
    """Note why a kind could not be listed to its end."""
    backup_set.unlisted = {**backup_set.unlisted, kind: reason_code}
    backup_set.save(update_fields=["unlisted"])


def leave_out(backup_set: BackupSet, kind: str, reason_code: str) -> None:
    """Take a kind out of what the set is to hold, and note why."""
    backup_set.kinds = [other for other in backup_set.kinds if other != kind]
    backup_set.unlisted = {**backup_set.unlisted, kind: reason_code}
    backup_set.save(update_fields=["kinds", "unlisted"])


_CARRY_OVER = """
INSERT INTO backup_items (workspace_id, tenant_id, set_id, kind, graph_id, name, version_id,
                          complete, missing, reason_code, captured_at, last_modified_at)
SELECT workspace_id, tenant_id, %s, kind, graph_id, name, version_id,
       complete, missing, reason_code, captured_at, last_modified_at
FROM backup_items WHERE set_id = %s AND complete
"""


@transaction.atomic
def carry_over(backup_set: BackupSet, parent: BackupSet) -> None:
    """Take over what the earlier set read completely; nothing of it is read again."""
    with connection.cursor() as cursor:
        cursor.execute(_CARRY_OVER, [backup_set.pk, parent.pk])
    unfinished = parent.items.incomplete().values_list("kind", flat=True)
    backup_set.listed_kinds = sorted(set(parent.listed_kinds) - set(unfinished))
    backup_set.save(update_fields=["listed_kinds"])


@transaction.atomic
def store(item: BackupItem, kind: PolicyKind, captured: Captured) -> str:
    """Store what was read of an item; whether that is `created`, `updated` or `unchanged`.

    Compared with what was last read of the same object, whatever set it is in.
    """
    content = Content.of(kind, captured.payload)
    before = _last_hash(item)
    BackupItem.objects.filter(pk=item.pk).update(
        version_id=ensure_version(item.workspace_id, content),
        name=_name(kind, content.payload),
        complete=captured.complete,
        missing=captured.missing,
        reason_code="" if captured.complete else "incomplete_capture",
        captured_at=timezone.now(),
        last_modified_at=last_modified(content.payload) or item.last_modified_at,
    )
    if before is None:
        return "created"
    return "unchanged" if before == content.normalized_hash else "updated"


def set_failed(item: BackupItem, reason_code: str) -> None:
    """Note why an item could not be read."""
    BackupItem.objects.filter(pk=item.pk).update(reason_code=reason_code)


def set_gone(item: BackupItem) -> None:
    """Leave out an object that no longer exists."""
    BackupItem.objects.filter(pk=item.pk).delete()


def _last_hash(item: BackupItem) -> str | None:
    same = BackupItem.objects.filter(
        tenant_id=item.tenant_id, kind=item.kind, graph_id=item.graph_id, version__isnull=False
    )
    return same.order_by("-id").values_list("version__normalized_hash", flat=True).first()


def _name(kind: PolicyKind, entry: Json) -> str:
    return sanitize_text(kind.name_of(entry), max_length=300) or str(entry.get("id", ""))[:300]
