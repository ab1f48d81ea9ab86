"""Load a restore with its items, and look up which of the referenced objects the tenant has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from backups.models import BackupItem, BackupSet
from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.errors import PermissionMissing
from providers.graph.kinds import KIND, KINDS
from restores import bodies, planning
from restores.bodies import Options
from restores.models import Replacement, RestoreItem, RestoreRun, RestoreStatus
from restores.reading import LiveTenant

#: New ids of objects, by kind and by earlier id.
NewIds = dict[str, dict[str, str]]
#: Of objects of one kind that refer to each other: a profile, its certificate, and its root.
MAX_DEPTH = 5
ORDER = {key: place for place, key in enumerate(KINDS)}


def options_of(restore: RestoreRun) -> Options:
    return Options(restore.assignments, restore.access_state)


def load_restore(run: ActiveRun, status: RestoreStatus) -> RestoreRun:
    """The restore that the run works on.

    Raises:
        Blocked: it does not exist, or has another status.
    """
    restore_id = run.context.get("restore_run_id", 0)
    restores = RestoreRun.objects.with_scope().filter(tenant=run.tenant, status=status)
    restore = restores.filter(pk=restore_id).first()
    if restore is None:
        raise Blocked("restore_gone")
    return restore


def load_items(restore: RestoreRun) -> list[RestoreItem]:
    """The items of a restore, each after those that it may refer to."""
    items = list(restore.items.select_related("version", "backup_item"))
    by_id = {(item.kind, item.graph_id): item for item in items}
    return sorted(
        items,
        key=lambda item: (
            ORDER.get(item.kind, len(ORDER)),
            _depth(item, by_id),
            item.name,
            item.pk,
        ),
    )


def _depth(item: RestoreItem, by_id: Mapping[tuple[str, str], RestoreItem], level: int = 0) -> int:
    """How many items of its kind must precede an item that refers to them, one after another."""
    kind = KIND.get(item.kind)
    if kind is None or item.version is None or level > MAX_DEPTH:
        return 0
    ids = set().union(*bodies.references(kind, item.version.payload).values())
    depths = [
        1 + _depth(by_id[item.kind, graph_id], by_id, level + 1)
        for graph_id in ids
        if (item.kind, graph_id) in by_id
    ]
    return max(depths, default=0)


def restorable_items(
    backup_set: BackupSet | None, missing: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], BackupItem]:
    """The objects of a set that can be restored, by the kind and id under which they are missing."""
    wanted = {
        (kind, graph_id): [(each, graph_id) for each in KIND[kind].with_included]
        for kind, graph_id in missing
        if kind in KIND
    }
    if backup_set is None or not wanted:
        return {}
    ids = {graph_id for _, graph_id in wanted}
    rows = backup_set.items.filter(graph_id__in=ids, version__isnull=False)
    stored = {(item.kind, item.graph_id): item for item in rows.select_related("version")}
    return {
        key: stored[stored_key]
        for key, stored_keys in wanted.items()
        for stored_key in stored_keys
        if stored_key in stored and _can_be_restored(stored[stored_key])
    }


def _can_be_restored(item: BackupItem) -> bool:
    payload = item.version.payload if item.version else {}
    is_complete = item.complete
    return planning.backup_refusal(KIND[item.kind], payload, is_complete=is_complete) is None


def existing_ids(
    live: LiveTenant, references: Mapping[str, set[str]], created: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """The ids that exist of each referenced kind, with those that this restore creates.

    Raises:
        GraphError: a list could not be read to its end; nothing may be concluded.
    """
    existing = {}
    for kind_key, ids in references.items():
        present = _existing(live, kind_key, ids - created)
        if present is not None:
            existing[kind_key] = present | created
    return existing


def _existing(live: LiveTenant, kind_key: str, ids: Collection[str]) -> frozenset[str] | None:
    """Those of these ids that exist; None where only Graph itself can check them.

    Raises:
        GraphError: see `existing_ids`.
    """
    try:
        return live.existing(kind_key, ids)
    except PermissionMissing:
        if not KIND[kind_key].is_checked_by_graph:
            raise
        return None


def restored_ids(live: LiveTenant, references: Mapping[str, set[str]]) -> NewIds:
    """The current ids of deleted objects that earlier restores created again.

    Raises:
        GraphError: a list could not be read.
    """
    restored: NewIds = {}
    for referenced, ids in references.items():
        for kind_key in KIND[referenced].with_included:
            latest = {graph_id: live.ids_of(kind_key, graph_id)[-1] for graph_id in ids}
            later = {old: new for old, new in latest.items() if new != old}
            existing = live.ids(kind_key) if later else frozenset()
            restored.setdefault(kind_key, {}).update(
                {old: new for old, new in later.items() if old not in existing and new in existing}
            )
    return restored


def replaced_ids(
    live: LiveTenant,
    tenant_id: int,
    references: Mapping[str, set[str]],
    items: Iterable[RestoreItem],
) -> NewIds:
    """The ids that a person chose in place of those of objects that the tenant lacks.

    An object that the same restore contains is not replaced.

    Raises:
        GraphError: a list could not be read.
    """
    own = {(item.kind, item.graph_id) for item in items}
    replaced: NewIds = {}
    for each in Replacement.objects.filter(tenant=tenant_id, kind__in=list(references)):
        is_needed = each.missing_id in references[each.kind] and each.kind in KIND
        if not is_needed or (each.kind, each.missing_id) in own:
            continue
        existing = _existing(live, each.kind, {each.missing_id, each.replacement_id}) or ()
        if each.missing_id not in existing and each.replacement_id in existing:
            replaced.setdefault(each.kind, {})[each.missing_id] = each.replacement_id
    return replaced


def merged(*each: Mapping[str, Mapping[str, str]]) -> NewIds:
    """All of these new ids; later ones take precedence. A kind has those of the kinds in it too."""
    result: NewIds = {}
    for new_ids in each:
        for kind_key, ids in new_ids.items():
            result.setdefault(kind_key, {}).update(ids)
    for kind_key, kind in KIND.items():
        for included in kind.includes:
            result[kind_key] = result.get(included, {}) | result.get(kind_key, {})
    return result
