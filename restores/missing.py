"""What a preview lacks in the tenant, and what a person chooses for it: restore it, or replace it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from backups.models import BackupItem
from inventory.models import DirectoryGroup, Policy, RoleDefinition
from inventory.names import names_of
from operations.services import DispatchResult
from providers.graph.kinds import KIND
from providers.graph.policy_kind import in_sentence
from restores import services
from restores.bodies import Options
from restores.loading import restorable_items
from restores.models import Replacement, RestoreItem, RestoreRun
from tenancy.models import User

#: The kinds that the inventory mirrors into separate tables.
_TABLES: dict[str, Any] = {
    "groups": DirectoryGroup.objects,
    "role_definitions": RoleDefinition.objects,
}


@dataclass(frozen=True)
class MissingObject:
    """An object that the tenant lacks, with the names of those that refer to it.

    `item` is the object in the backup set of the restore, if it can be restored from there.
    """

    kind: str
    id: str
    name: str
    needed_by: Collection[str]
    item: BackupItem | None

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.id}"

    @property
    def label(self) -> str:
        return KIND[self.item.kind if self.item else self.kind].label

    @property
    def has_names(self) -> bool:
        """Whether the inventory knows objects of the kind by their names."""
        return not KIND[self.kind].looked_up_at


@dataclass(frozen=True)
class Choices:
    """What a person chooses: objects of the set that are restored as well (ids of their items),
    names or ids that replace missing objects, by their keys, and replacements that end (ids)."""

    added: Collection[int] = ()
    replacements: Mapping[str, str] = field(default_factory=dict)
    removed: Collection[int] = ()


class OutdatedChoices(ValidationError):
    """The choices do not fit the restore as it is now, so that its form cannot show them again."""


def list_missing(restore: RestoreRun, items: Sequence[RestoreItem]) -> list[MissingObject]:
    """The objects that the tenant lacks and that the restore does not contain, once each.

    These are what the items of the restore refer to, and what such objects of the set refer to in
    turn.
    """
    own = {(item.kind, item.graph_id) for item in items}
    needed_by: dict[tuple[str, str], dict[str, None]] = {}
    for item in items:
        for each in item.missing:
            referrers = needed_by.setdefault((each["kind"], each["id"]), {})
            referrers[each.get("needed_by") or item.name] = None
    missing = [
        (kind, graph_id)
        for kind, graph_id in needed_by
        if kind in KIND and own.isdisjoint((each, graph_id) for each in KIND[kind].with_included)
    ]
    stored = restorable_items(restore.backup_set, missing)
    names = names_of(restore.tenant_id, {graph_id for _, graph_id in missing})
    names |= {graph_id: item.name for (_, graph_id), item in stored.items()}
    return [
        MissingObject(*key, names.get(key[1], ""), list(needed_by[key]), stored.get(key))
        for key in missing
    ]


def room_in(items: Sequence[RestoreItem]) -> int:
    """How many more objects a restore with these items can contain."""
    return services.MAX_ITEMS - len(items)


@transaction.atomic
def resolve_missing(
    restore: RestoreRun, choices: Choices, *, by: User, submission: uuid.UUID | None = None
) -> tuple[RestoreRun, DispatchResult]:
    """Discard a preview, and preview its objects again with these choices.

    A replacement is kept for the tenant. A missing object without a choice stays missing. A form
    that is submitted twice leads to the restore that it started first.

    Raises:
        OutdatedChoices: the restore is no longer in preview or is approved, or lacks no such object.
        ValidationError: the restore would contain too many objects, or a replacement is none. Then
            the errors of all of them are in its `error_dict`, by the keys of the objects.
    """
    locked = services.lock(restore)
    if submission and (started := services.started_by(locked.tenant_id, submission)):
        return started
    if not locked.is_previewed or locked.approved_at or locked.backup_set is None:
        raise OutdatedChoices("This restore is no longer in preview. Start a new one.")
    items = list(locked.items.select_related("backup_item"))
    missing = {each.key: each for each in list_missing(locked, items)}
    # First, because a missing object can get another replacement in the same form.
    Replacement.objects.filter(tenant=locked.tenant_id, pk__in=choices.removed).delete()
    _replace(locked, missing, choices.replacements)
    added = {
        each.item.pk: each.item
        for each in missing.values()
        if each.item and each.item.pk in choices.added and each.key not in choices.replacements
    }
    if len(added) > room_in(items):
        raise ValidationError(
            f"A restore can contain at most {services.MAX_ITEMS} objects. This one has {len(items)}, "
            f"so select at most {room_in(items)} missing ones to restore as well."
        )
    kept = [item.backup_item for item in items if item.backup_item]
    services.discard(locked)
    return services.start_preview(
        locked.backup_set,
        [*kept, *added.values()],
        Options(locked.assignments, locked.access_state),
        by=by,
        retry_of=locked.retry_of,
        submission=submission,
    )


def _replace(
    restore: RestoreRun, missing: Mapping[str, MissingObject], replacements: Mapping[str, str]
) -> None:
    if not replacements.keys() <= missing.keys():
        raise OutdatedChoices("No object of this restore lacks this one.")
    errors = {}
    for key, text in replacements.items():
        try:
            _replace_one(restore, missing[key], text)
        except ValidationError as error:
            errors[key] = error
    if errors:
        raise ValidationError(errors)


def _replace_one(restore: RestoreRun, missing: MissingObject, name_or_id: str) -> None:
    replacement_id, name = _find(restore.tenant_id, missing.kind, name_or_id)
    if replacement_id == missing.id:
        raise ValidationError("This is the missing object itself. Choose another one.")
    Replacement.objects.update_or_create(
        workspace_id=restore.workspace_id,
        tenant_id=restore.tenant_id,
        kind=missing.kind,
        missing_id=missing.id,
        defaults={"replacement_id": replacement_id, "name": name},
    )


def _find(tenant_id: int, kind: str, name_or_id: str) -> tuple[str, str]:
    """Return the id and name of the only present object of this kind with this name or id.

    Raises:
        ValidationError: there is none, or several.
    """
    label = in_sentence(KIND[kind].label)
    if KIND[kind].looked_up_at:
        return _as_id(name_or_id, label), ""
    rows: Any = _TABLES.get(kind, Policy.objects.filter(kind=kind))
    present = rows.present().filter(tenant=tenant_id)
    matches = list(present.filter(Q(graph_id=name_or_id) | Q(name=name_or_id))[:2])
    if not matches:
        raise ValidationError(
            f"The inventory has no {label} with this name or ID. Sync it first if it is new."
        )
    if len(matches) > 1:
        raise ValidationError(f"More than one {label} has this name. Enter the ID.")
    return matches[0].graph_id, matches[0].name


def _as_id(text: str, label: str) -> str:
    """Return an id as Graph writes it.

    Raises:
        ValidationError: it is none.
    """
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        article = "an" if label[0].lower() in "aeio" else "a"
        raise ValidationError(f"Enter the ID of {article} {label}, a GUID.") from None
