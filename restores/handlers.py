"""What a worker does for a restore: compare, and on another day, when somebody has agreed, write."""

from __future__ import annotations

import datetime as dt

from operations.catalog import Queue, Retry
from operations.handlers import operation
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import default_connection, graph_client, writable_connection
from providers.handling import active_tenant, telling_waits
from restores.executing import Execution
from restores.models import RestoreStatus
from restores.previewing import Preview, restore_of
from restores.settling import settle
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
    """Say of each object what would change; nothing is written there."""
    restore = restore_of(run, RestoreStatus.PREVIEWING)
    connection = default_connection(active_tenant(run))
    with graph_client(connection, on_wait=telling_waits(run)) as client:
        Preview(run, restore, client).make()


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
    """Write exactly what was previewed; however it ends, what is known of each object is kept."""
    restore = restore_of(run, RestoreStatus.EXECUTING)
    try:
        connection = writable_connection(active_tenant(run))
        with graph_client(connection, on_wait=telling_waits(run)) as client:
            Execution(run, restore, client).make()
    finally:
        settle(restore.pk)
