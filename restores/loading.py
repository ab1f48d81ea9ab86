"""Load a restore with its items, and look up which of the referenced objects the tenant has."""

from __future__ import annotations

from collections.abc import Mapping

from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.errors import PermissionMissing
from providers.graph.kinds import KINDS
from restores.bodies import Options
from restores.models import RestoreItem, RestoreRun, RestoreStatus
from restores.reading import LOCATIONS, LiveTenant

ORDER = {key: place for place, key in enumerate(KINDS)}
#: Kinds of references that Graph validates itself: a list that may not be read blocks nothing.
LEFT_TO_GRAPH = ("assignment_filters", "scope_tags")


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
    items = restore.items.select_related("version", "backup_item")
    return sorted(items, key=lambda item: (ORDER.get(item.kind, len(ORDER)), item.name, item.pk))


def existing_ids(
    live: LiveTenant, references: Mapping[str, set[str]], created: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """The ids that exist of each referenced kind, with those that this restore creates.

    Raises:
        GraphError: a list could not be read to its end; nothing may be concluded.
    """
    existing = {}
    for kind_key in references:
        try:
            existing[kind_key] = live.ids(kind_key) | created
        except PermissionMissing:
            if kind_key not in LEFT_TO_GRAPH:
                raise
    return existing


def restored_ids(live: LiveTenant, references: Mapping[str, set[str]]) -> dict[str, str]:
    """The current ids of deleted locations that an earlier restore created again: {old: new}.

    Raises:
        GraphError: the locations could not be read.
    """
    if LOCATIONS not in references:
        return {}
    existing = live.ids(LOCATIONS)
    deleted = references[LOCATIONS] - existing
    latest = {graph_id: live.ids_of(LOCATIONS, graph_id)[-1] for graph_id in deleted}
    return {old: new for old, new in latest.items() if new in existing}
