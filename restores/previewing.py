"""The preview: read what is there, and say per object what would change. It writes nothing there."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.utils import timezone

from operations.reasons import Blocked
from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError, PermissionMissing
from providers.graph.kinds import KIND, KINDS
from providers.graph.policy_kind import PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking
from restores import bodies, planning
from restores.bodies import Options
from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from restores.planning import Backup, Plan, Surroundings
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


class Preview:
    """One run's preview of one restore."""

    def __init__(self, run: ActiveRun, restore: RestoreRun, client: GraphClient) -> None:
        self._run = run
        self._restore = restore
        self._client = client
        self._live = LiveTenant(client, restore.tenant_id)
        self._options = options_of(restore)
        #: Locations that this restore puts back, by the ids that the backup has of them.
        self._coming: set[str] = set()
        #: The ids of locations that are there under another one.
        self._new_ids: dict[str, str] = {}

    def make(self) -> None:
        """Look at every item, keep what is to be said, and close the preview."""
        items = in_order(self._restore)
        self._run.expect(len(items))
        for item in items:
            self._run.checkpoint()
            self._look_at(item)
        close(self._restore)

    def _look_at(self, item: RestoreItem) -> None:
        kind = KIND.get(item.kind)
        self._run.phase(f"Comparing {in_sentence(kind.label_plural) if kind else item.kind}")
        try:
            told = self._plan(item)
        except GraphError as error:
            raise_if_blocking(error)
            told = Plan(Action.BLOCKED, error)
            self._run.failed(_key(item), error, label=item.name)
        else:
            self._run.succeeded(_key(item), label=item.name)
        if item.kind == LOCATIONS:
            self._note_location(item, told)
        RestoreItem.objects.filter(pk=item.pk).update(**planning.as_columns(told))

    def _plan(self, item: RestoreItem) -> Plan:
        kind = KIND[item.kind]
        payload = item.version.payload if item.version else None
        live = planning.Live() if payload is None else self._live.find(kind, item, payload)
        return planning.plan(
            kind,
            Backup(payload, bool(item.backup_item and item.backup_item.complete)),
            live,
            self._around(kind, payload or {}),
            self._options,
            may_write=self._may_write(kind),
        )

    def _may_write(self, kind: PolicyKind) -> bool:
        """False where the token says that it may not; what it does not say, the write will show."""
        if kind.restore is not Restore.FULL:
            return True
        return self._client.names(kind.permission.write) is not False

    def _around(self, kind: PolicyKind, payload: bodies.Json) -> Surroundings:
        """What is there of what the object refers to; nothing else is asked for."""
        found = bodies.references(bodies.wanted(kind, payload, self._options))
        new_ids = self._new_ids | put_back(self._live, found)
        coming = frozenset(self._coming | set(new_ids.values()))
        return Surroundings(there(self._live, found, coming), new_ids)

    def _note_location(self, item: RestoreItem, told: Plan) -> None:
        """A policy of this restore may refer to a location as soon as it is, or comes, back."""
        if told.action == Action.UNCHANGED and told.target_id != item.graph_id:
            self._new_ids[item.graph_id] = told.target_id
        elif told.action in (Action.CREATE, Action.CONFLICT) and told.target_id != item.graph_id:
            self._coming.add(item.graph_id)


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


@transaction.atomic
def close(restore: RestoreRun) -> None:
    """Bind the preview: from now on it is what an execution would do."""
    items = list(restore.items.all())
    RestoreRun.objects.filter(pk=restore.pk, status=RestoreStatus.PREVIEWING).update(
        status=RestoreStatus.PREVIEWED,
        preview_digest=planning.digest(items, options_of(restore)),
        previewed_at=timezone.now(),
    )


def _key(item: RestoreItem) -> str:
    return f"{item.kind}/{item.graph_id}"
