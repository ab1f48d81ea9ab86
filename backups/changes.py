"""What changed from one backup set to the next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet

Key = tuple[str, str]


@dataclass(frozen=True)
class SetChanges:
    """The differences between a set and the previous one. Pairs are (before, now).

    `incomplete` counts the objects that this set did not read completely: they can be new, but
    never changed. `uncompared` names the kinds that one of the two sets did not list completely.
    """

    previous: BackupSet
    added: list[BackupItem] = field(default_factory=list)
    changed: list[tuple[BackupItem, BackupItem]] = field(default_factory=list)
    deleted: list[BackupItem] = field(default_factory=list)
    unchanged: int = 0
    incomplete: int = 0
    uncompared: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.deleted)

    @property
    def is_complete(self) -> bool:
        """Whether every object could be compared."""
        return not (self.incomplete or self.uncompared)

    @property
    def uncompared_labels(self) -> list[str]:
        return [label_of(kind) for kind in self.uncompared]


def previous_of(backup_set: BackupSet) -> BackupSet | None:
    """Return the last complete set of the same schedule before this one."""
    if backup_set.schedule_id is None:
        return None
    before = BackupSet.objects.complete().filter(
        schedule=backup_set.schedule_id, started_at__lt=backup_set.started_at
    )
    return before.exclude(pk=backup_set.pk).with_scope().newest_first().first()


def changes_of(backup_set: BackupSet) -> SetChanges | None:
    """Compare a set with the last complete set of its schedule; None if there is none.

    Only items that both sets read completely are compared. A kind that this set did not list
    completely has no deleted objects, and one that the earlier set did not list has no new ones.
    """
    previous = previous_of(backup_set)
    if previous is None:
        return None
    before, now = _items(previous), _items(backup_set)
    pairs = [(before[key], item) for key, item in now.items() if key in before and item.complete]
    changed = [(earlier, item) for earlier, item in pairs if _differ(earlier, item)]
    requested = [*backup_set.kinds, *backup_set.unlicensed_kinds]
    listed_in_both = set(previous.listed_kinds) & set(backup_set.listed_kinds)
    # A kind that has no license in either set is no difference between them.
    unlicensed_in_both = set(previous.unlicensed_kinds) & set(backup_set.unlicensed_kinds)
    return SetChanges(
        previous,
        added=_without(now, before, previous.listed_kinds),
        changed=changed,
        deleted=_without(before, now, backup_set.listed_kinds),
        unchanged=len(pairs) - len(changed),
        incomplete=sum(not item.complete for item in now.values()),
        uncompared=[kind for kind in requested if kind not in listed_in_both | unlicensed_in_both],
    )


def _without(
    items: dict[Key, BackupItem], others: dict[Key, BackupItem], listed_kinds: list[str]
) -> list[BackupItem]:
    """The items of the kinds in `listed_kinds` that the other set does not have."""
    return [item for key, item in items.items() if key not in others and item.kind in listed_kinds]


def _items(backup_set: BackupSet) -> dict[Key, BackupItem]:
    """The items of a set by kind and Graph id, without their contents, which may be large."""
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
