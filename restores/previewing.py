"""The preview: read what is there, and say per object what would change. It writes nothing there."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from operations.active_run import ActiveRun
from operations.reasons import Blocked
from providers.graph.client import GraphClient
from providers.graph.errors import GraphError
from providers.graph.kinds import KIND, KINDS, PolicyKind, Restore, in_sentence
from providers.handling import raise_if_blocking
from restores import planning
from restores.bodies import Options
from restores.models import Action, RestoreItem, RestoreRun, RestoreStatus
from restores.planning import Plan, References
from restores.reading import LOCATIONS, LiveTenant

ORDER = {key: place for place, key in enumerate(KINDS)}


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


class Preview:
    """One run's preview of one restore."""

    def __init__(self, run: ActiveRun, restore: RestoreRun, client: GraphClient) -> None:
        self._run = run
        self._restore = restore
        self._client = client
        self._live = LiveTenant(client, restore.tenant_id)
        self._options = options_of(restore)

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
        RestoreItem.objects.filter(pk=item.pk).update(**planning.as_columns(told))

    def _plan(self, item: RestoreItem) -> Plan:
        kind = KIND[item.kind]
        payload = item.version.payload if item.version else None
        live = planning.Live() if payload is None else self._live.find(kind, item, payload)
        return planning.plan(
            kind,
            payload,
            is_complete=bool(item.backup_item and item.backup_item.complete),
            live=live,
            references=self._references(),
            options=self._options,
            may_write=self._may_write(kind),
        )

    def _may_write(self, kind: PolicyKind) -> bool:
        """False where the token says that it may not; what it does not say, the write will show."""
        if kind.restore is not Restore.FULL:
            return True
        return self._client.names(kind.permission.write) is not False

    def _references(self) -> References:
        """What is there, and the locations that this very restore puts back."""
        coming = self._restore.items.filter(kind=LOCATIONS, action=Action.CREATE)
        locations = self._live.locations | set(coming.values_list("graph_id", flat=True))
        return References(self._live.groups, locations)


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
