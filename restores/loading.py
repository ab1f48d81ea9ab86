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
#: References whose absence Graph refuses by itself; where their list may not be read, it does.
LEFT_TO_GRAPH = ("assignment_filters", "scope_tags")


def options_of(restore: RestoreRun) -> Options:
    return Options(restore.assignments, restore.access_state)


def restore_of(run: ActiveRun, status: RestoreStatus) -> RestoreRun:
    """The restore that the run works on.

    Raises:
        Blocked: it is gone, or at another step.
    """
    found = RestoreRun.objects.with_scope().filter(
        pk=run.context.get("restore_run_id", 0), tenant=run.tenant, status=status
    )
    restore = found.first()
    if restore is None:
        raise Blocked("restore_gone")
    return restore


def in_order(restore: RestoreRun) -> list[RestoreItem]:
    """The items of a restore, each after what it may refer to."""
    items = restore.items.select_related("version", "backup_item")
    return sorted(items, key=lambda item: (ORDER.get(item.kind, len(ORDER)), item.name, item.pk))


def there(
    live: LiveTenant, found: Mapping[str, set[str]], coming: frozenset[str] = frozenset()
) -> dict[str, frozenset[str]]:
    """What is there of the kinds that are referred to, and what is coming.

    Raises:
        GraphError: a list could not be read to its end; nothing may be concluded.
    """
    known = {}
    for kind_key in found:
        try:
            known[kind_key] = live.ids(kind_key) | coming
        except PermissionMissing:
            if kind_key not in LEFT_TO_GRAPH:
                raise
    return known


def put_back(live: LiveTenant, found: Mapping[str, set[str]]) -> dict[str, str]:
    """The ids of locations that are gone and that an earlier restore has put back: {old: new}.

    Raises:
        GraphError: the locations could not be read.
    """
    if LOCATIONS not in found:
        return {}
    present = live.ids(LOCATIONS)
    latest = {old: live.ids_of(LOCATIONS, old)[-1] for old in found[LOCATIONS] - present}
    return {old: new for old, new in latest.items() if new in present}
