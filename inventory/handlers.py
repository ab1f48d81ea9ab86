"""The sync operations: list objects, write the changed ones, mark the missing ones."""

from __future__ import annotations

import datetime as dt

from inventory.fan_out import FanOut
from inventory.group_changes import GroupsSync
from inventory.kinds import POLICY_KINDS
from inventory.mirror import GROUPS, POLICIES, ROLE_DEFINITIONS
from inventory.rows import group_row, policy_row, role_definition_row
from inventory.syncing import Sync
from operations.catalog import Queue, Retry, Scope
from operations.handlers import operation
from operations.types import OperationRunType
from operations.worker.active_run import ActiveRun
from providers.connections import default_connection, graph_client, graph_client_for
from providers.graph.ahead import AheadClient
from providers.graph.kinds import KIND
from providers.handling import active_tenant, show_waits
from tenancy.roles import Capability


@operation(
    OperationRunType.INVENTORY_SYNC,
    label="Inventory sync",
    description="Lists the policies of every kind and marks the missing ones.",
    required_capability=Capability.START_SYNC,
    queue=Queue.SYNC,
    expected_duration=dt.timedelta(seconds=30),
    retry=Retry.AUTOMATIC,
)
def sync_policies(run: ActiveRun) -> None:
    """Mirror the tenant's policies of every kind. Idempotent.

    A kind that cannot be read, or whose list is incomplete, is a separate failure: the other kinds
    continue, and no object of that kind is marked as missing.
    """
    tenant = active_tenant(run)
    with graph_client_for(tenant, on_wait=show_waits(run), client=AheadClient) as client:
        sync = Sync(run, client, POLICIES, policy_row, "policy_detail")
        for kind in POLICY_KINDS.values():
            sync.mirror(kind)


@operation(
    OperationRunType.DIRECTORY_GROUPS_SYNC,
    label="Groups sync",
    description="Lists the groups of the directory and marks the missing ones.",
    required_capability=Capability.START_SYNC,
    queue=Queue.SYNC,
    expected_duration=dt.timedelta(seconds=30),
    retry=Retry.AUTOMATIC,
)
def sync_groups(run: ActiveRun) -> None:
    """Mirror the tenant's groups, by their changes since the last sync where possible. Idempotent."""
    connection = default_connection(active_tenant(run))
    with graph_client(connection, on_wait=show_waits(run), client=AheadClient) as client:
        sync = Sync(run, client, GROUPS, group_row, "group_detail")
        GroupsSync(run, connection, client, sync).run()


@operation(
    OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC,
    label="Role definitions sync",
    description="Lists the directory roles, built-in and custom, and marks the missing ones.",
    required_capability=Capability.START_SYNC,
    queue=Queue.SYNC,
    expected_duration=dt.timedelta(seconds=10),
    retry=Retry.AUTOMATIC,
)
def sync_role_definitions(run: ActiveRun) -> None:
    """Mirror the tenant's directory roles, built-in and custom. Idempotent."""
    tenant = active_tenant(run)
    with graph_client_for(tenant, on_wait=show_waits(run), client=AheadClient) as client:
        sync = Sync(run, client, ROLE_DEFINITIONS, role_definition_row, "role_definition_detail")
        sync.mirror(KIND["role_definitions"])


@operation(
    OperationRunType.WORKSPACE_INVENTORY_SYNC,
    label="Inventory sync of all tenants",
    description="Starts an inventory sync on every active tenant and sums up the results.",
    required_capability=Capability.START_SYNC,
    scope=Scope.WORKSPACE,
    time_limit=dt.timedelta(hours=6),
    start_deadline=dt.timedelta(hours=6),
    retry=Retry.AUTOMATIC,
)
def sync_every_tenant(run: ActiveRun) -> None:
    """Start an inventory sync on every active tenant, wait for them, and sum up the results.

    A tenant's sync that is already active is used. Idempotent: another run starts the syncs again.
    """
    FanOut(run).run_until_complete()
