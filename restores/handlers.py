"""The two operations of a restore: the preview, and the execution after a person confirmed it."""

from __future__ import annotations

import datetime as dt

from operations.catalog import Queue, Retry
from operations.handlers import operation
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import default_connection, graph_client, writable_connection
from providers.handling import active_tenant, show_waits
from restores.closing import close_restore
from restores.executing import Execution
from restores.loading import load_restore
from restores.models import RestoreStatus
from restores.previewing import Preview
from tenancy.roles import Capability


@operation(
    OperationRunType.RESTORE_PREVIEW,
    label="Restore preview",
    description="Compares the backup with the current configuration; changes nothing.",
    required_capability=Capability.RESTORE,
    queue=Queue.RESTORE,
    expected_duration=dt.timedelta(seconds=30),
    time_limit=dt.timedelta(hours=1),
    retry=Retry.NEVER,
)
def preview(run: ActiveRun) -> None:
    """Plan what would change in each object. Nothing is written to the tenant."""
    restore = load_restore(run, RestoreStatus.PREVIEWING)
    connection = default_connection(active_tenant(run))
    with graph_client(connection, on_wait=show_waits(run)) as client:
        Preview(run, restore, client).build()


@operation(
    OperationRunType.RESTORE_EXECUTE,
    label="Restore",
    description="Backs up the current configuration, then writes exactly the preview.",
    required_capability=Capability.RESTORE,
    queue=Queue.RESTORE,
    expected_duration=dt.timedelta(minutes=1),
    time_limit=dt.timedelta(hours=2),
    retry=Retry.NEVER,
)
def execute(run: ActiveRun) -> None:
    """Write exactly what was previewed. However it ends, the result of each object is recorded."""
    restore = load_restore(run, RestoreStatus.EXECUTING)
    try:
        connection = writable_connection(active_tenant(run))
        with graph_client(connection, on_wait=show_waits(run)) as client:
            Execution(run, restore, client).execute()
    finally:
        close_restore(restore.pk)
