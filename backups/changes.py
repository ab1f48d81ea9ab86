"""What changed from one backup set to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from backups.kinds import label_of
from backups.models import BackupItem, BackupSet, Change, SetPurpose


@dataclass(frozen=True)
class Difference:
    """An object that differs: the item in the later set, and the one in the earlier set."""

    change: Change
    item: BackupItem | None
    before: BackupItem | None

    @property
    def shown(self) -> BackupItem:
        """The item of the later set; that of the earlier one for a removed object."""
        item = self.item or self.before
        assert item
        return item


@dataclass(frozen=True)
class SetChanges:
    """The differences between a set and an earlier one.

    `incomplete` counts the objects that this set did not read completely. `uncompared` names the
    kinds that one of the two sets did not list completely.
    """

    previous: BackupSet
    differences: list[Difference]
    unchanged: int
    incomplete: int
    uncompared: list[str]

    @property
    def is_complete(self) -> bool:
        """Whether every object could be compared."""
        return not (self.incomplete or self.uncompared)

    @property
    def uncompared_labels(self) -> list[str]:
        return [label_of(kind) for kind in self.uncompared]

    def count(self, change: Change) -> int:
        """Return the number of objects with this change."""
        return sum(each.change == change for each in self.differences)

    @property
    def created_count(self) -> int:
        return self.count(Change.CREATED)

    @property
    def changed_count(self) -> int:
        return self.count(Change.CHANGED)

    @property
    def removed_count(self) -> int:
        return self.count(Change.REMOVED)


def previous_of(backup_set: BackupSet) -> BackupSet | None:
    """Return the set that a set is compared with: the last complete one of its schedule.

    For a tenant that never has a complete set: the last one that is complete for the same kinds.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT backup_sets_earlier(%s)", [backup_set.pk])
        (earlier_id,) = cursor.fetchone()
    return BackupSet.objects.with_scope().filter(pk=earlier_id).first()


_COUNTS = """
SELECT count(*) FILTER (WHERE earlier.complete AND later.complete), count(*) FILTER (WHERE NOT later.complete)
FROM (SELECT item.* FROM backup_set_items member JOIN backup_items item ON item.id = member.item_id
      WHERE member.set_id = %s) later
LEFT JOIN (SELECT item.* FROM backup_set_items member JOIN backup_items item ON item.id = member.item_id
           WHERE member.set_id = %s) earlier
    ON earlier.kind = later.kind AND earlier.graph_id = later.graph_id
"""


def changes_of(backup_set: BackupSet, previous: BackupSet) -> SetChanges:
    """Compare a set with another one of the same tenant.

    Of a selection, only the objects that both sets contain are compared.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT change, item_id, before_id FROM backup_sets_compare(%s, %s)",
            [backup_set.pk, previous.pk],
        )
        rows: list[Any] = cursor.fetchall()
        cursor.execute(_COUNTS, [backup_set.pk, previous.pk])
        in_both, incomplete = cursor.fetchone()
    if SetPurpose.SELECTION in (backup_set.purpose, previous.purpose):
        rows = [row for row in rows if row[0] == Change.CHANGED]
    items = BackupItem.objects.in_bulk([pk for _, *ids in rows for pk in ids if pk])
    differences = [
        Difference(Change(change), items.get(item_id), items.get(before_id))
        for change, item_id, before_id in rows
    ]
    return SetChanges(
        previous,
        differences,
        unchanged=in_both - sum(each.change == Change.CHANGED for each in differences),
        incomplete=incomplete,
        uncompared=_uncompared(backup_set, previous),
    )


def _uncompared(backup_set: BackupSet, previous: BackupSet) -> list[str]:
    requested = [*backup_set.kinds, *backup_set.unlicensed_kinds]
    listed_in_both = set(previous.listed_kinds) & set(backup_set.listed_kinds)
    # A kind that has no license in either set is no difference between them.
    unlicensed_in_both = set(previous.unlicensed_kinds) & set(backup_set.unlicensed_kinds)
    return [kind for kind in requested if kind not in listed_in_both | unlicensed_in_both]
