"""What a worker does for a restore: compare, and on another day, when somebody has agreed, write."""

from __future__ import annotations

from operations.handlers import handles
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import default_connection, graph_client, writable_connection
from providers.handling import active_tenant, telling_waits
from restores.executing import Execution
from restores.models import RestoreStatus
from restores.previewing import Preview, restore_of
from restores.settling import settle


@handles(OperationRunType.RESTORE_PREVIEW)
def preview(run: ActiveRun) -> None:
    """Say of each object what would change; nothing is written there."""
    restore = restore_of(run, RestoreStatus.PREVIEWING)
    connection = default_connection(active_tenant(run))
    with graph_client(connection, on_wait=telling_waits(run)) as client:
        Preview(run, restore, client).make()


@handles(OperationRunType.RESTORE_EXECUTE)
def execute(run: ActiveRun) -> None:
    """Write exactly what was previewed; however it ends, what is known of each object is kept."""
    restore = restore_of(run, RestoreStatus.EXECUTING)
    try:
        connection = writable_connection(active_tenant(run))
        with graph_client(connection, on_wait=telling_waits(run)) as client:
            Execution(run, restore, client).make()
    finally:
        settle(restore.pk)
