"""What changed from one backup set to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet

Key = tuple[str, str]


@dataclass(frozen=True)
class SetChanges:
    """A set beside the one before it. Pairs are (before, now).

    `unread` counts objects of which this set holds only a part or nothing: they may be new, but
    are never called changed. `uncompared` names the kinds that one of the two sets did not list to
    their end.
    """

    previous: BackupSet
    added: list[BackupItem] = field(default_factory=list)
    changed: list[tuple[BackupItem, BackupItem]] = field(default_factory=list)
    gone: list[BackupItem] = field(default_factory=list)
    unchanged: int = 0
    unread: int = 0
    uncompared: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.gone)

    @property
    def is_whole(self) -> bool:
        """Whether everything could be compared."""
        return not (self.unread or self.uncompared)

    @property
    def uncompared_labels(self) -> list[str]:
        return [label_of(kind) for kind in self.uncompared]


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

    Only what both sets read completely is compared. A kind that this set did not list to its end
    has nothing gone, and one that the earlier set did not read has nothing new.
    """
    previous = previous_of(backup_set)
    if previous is None:
        return None
    before, now = _items(previous), _items(backup_set)
    both = [(before[key], item) for key, item in now.items() if key in before and item.complete]
    changed = [pair for pair in both if _differ(*pair)]
    return SetChanges(
        previous,
        added=_without(now, before, previous.listed_kinds),
        changed=changed,
        gone=_without(before, now, backup_set.listed_kinds),
        unchanged=len(both) - len(changed),
        unread=sum(not item.complete for item in now.values()),
        uncompared=_uncompared(previous, backup_set),
    )


def _without(
    items: dict[Key, BackupItem], others: dict[Key, BackupItem], listed: list[str]
) -> list[BackupItem]:
    """The items that the other set does not have, of the kinds that it listed to their end."""
    return [item for key, item in items.items() if key not in others and item.kind in listed]


def _uncompared(previous: BackupSet, backup_set: BackupSet) -> list[str]:
    """Kinds that one of the two did not list; what both had no license for is no difference."""
    listed = set(previous.listed_kinds) & set(backup_set.listed_kinds)
    unlicensed = set(previous.unlicensed_kinds) & set(backup_set.unlicensed_kinds)
    asked = [*backup_set.kinds, *backup_set.unlicensed_kinds]
    return [kind for kind in asked if kind not in listed | unlicensed]


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
    return before.version.normalized_hash != now.version.normalized_hash
