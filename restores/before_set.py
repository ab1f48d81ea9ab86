"""The backup set of the target objects that an execution takes before it writes."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from backups import sets
from backups.models import BackupSet, SetPurpose
from operations.worker.active_run import ActiveRun
from providers.graph.policy_kind import Capture
from restores.models import RestoreRun
from restores.target import Target


@transaction.atomic
def save_before_set(
    run: ActiveRun, restore: RestoreRun, captures: Sequence[tuple[Target, Capture]]
) -> None:
    """Store what was read of the targets in a set named “Before restore …”."""
    kinds = sorted({target.kind.key for target, _ in captures})
    before_set = BackupSet.objects.create(
        workspace=run.workspace,
        tenant=run.tenant,
        operation_run=run.run,
        purpose=SetPurpose.SELECTION,
        name=f"Before restore {restore.pk}",
        kinds=kinds,
        listed_kinds=kinds,
    )
    for target, captured in captures:
        kind, graph_id = target.kind, target.item.written_id
        sets.add_listed(before_set, kind, [{**captured.payload, "id": graph_id}])
        backup_item = before_set.items.get(kind=kind.key, graph_id=graph_id)
        sets.store(backup_item, kind, captured)
    sets.finish(before_set)
    RestoreRun.objects.filter(pk=restore.pk).update(before_set=before_set)
