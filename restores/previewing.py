"""The preview: read what is there, and say per object what would change. It writes nothing there."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from operations.worker.active_run import ActiveRun
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError
from providers.graph.kinds import KIND
from providers.graph.policy_kind import PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking
from restores import bodies, planning
from restores.loading import in_order, options_of, put_back, there
from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from restores.planning import Backup, Plan, Surroundings
from restores.reading import LOCATIONS, LiveTenant


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
