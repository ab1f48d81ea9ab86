"""What changed from one backup set to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backups.models import BackupItem, BackupSet

Key = tuple[str, str]


@dataclass(frozen=True)
class SetChanges:
    """A set beside the one before it. Pairs are (before, now)."""

    previous: BackupSet
    added: list[BackupItem] = field(default_factory=list)
    changed: list[tuple[BackupItem, BackupItem]] = field(default_factory=list)
    gone: list[BackupItem] = field(default_factory=list)
    unchanged: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.gone)


def previous_of(backup_set: BackupSet) -> BackupSet | None:
    """The last complete set of the same schedule before this one."""
    if backup_set.schedule_id is None:
        return None
    before = BackupSet.objects.complete().filter(
        schedule=backup_set.schedule_id, started_at__lt=backup_set.started_at
    )
    return before.exclude(pk=backup_set.pk).with_scope().newest_first().first()


def changes_of(backup_set: BackupSet) -> SetChanges | None:
    """What changed since the last complete set of the schedule; None where there is none.

    Only what was read is compared: what is missing from an incomplete set is not called gone
    unless its kind was listed to its end.
    """
    previous = previous_of(backup_set)
    if previous is None:
        return None
    before, now = _items(previous), _items(backup_set)
    found = SetChanges(
        previous,
        added=[item for key, item in now.items() if key not in before and item.version_id],
        gone=[
            item
            for key, item in before.items()
            if key not in now and item.kind in backup_set.listed_kinds
        ],
        changed=[
            (before[key], item)
            for key, item in now.items()
            if key in before and _differ(before[key], item)
        ],
    )
    compared = sum(1 for key, item in now.items() if key in before and item.version_id)
    return SetChanges(
        previous, found.added, found.changed, found.gone, compared - len(found.changed)
    )


def _items(backup_set: BackupSet) -> dict[Key, BackupItem]:
    """The items without their contents, which may be large."""
    rows: Iterable[BackupItem] = (
        backup_set.items.select_related("version")
        .defer("version__payload")
        .order_by("kind", "name")
    )
    return {(item.kind, item.graph_id): item for item in rows}


def _differ(before: BackupItem, now: BackupItem) -> bool:
    if before.version is None or now.version is None:
        return False
    return before.version.normalised_hash != now.version.normalised_hash
