"""Start syncs. Pages, admin and commands call these."""

from __future__ import annotations

import uuid

from inventory.kinds import POLICY_KINDS
from operations.dispatch import RunRequest
from operations.reasons import Blocked
from operations.services import DispatchResult, OperationRunService
from operations.types import OperationRunType
from providers.connections import default_connection
from providers.models import ProviderConnection
from tenancy.models import Tenant, User, Workspace


def start_sync(
    run_type: OperationRunType, tenant: Tenant, *, by: User, submission: uuid.UUID | None = None
) -> DispatchResult:
    """Start a sync of one tenant, or return the active one.

    Raises:
        Blocked: the tenant is suspended, or has no connection.
    """
    if not tenant.is_active:
        raise Blocked(tenant.inactive_reason, tenant=tenant.name)
    default_connection(tenant)
    request = sync_request(run_type, tenant, by=by, submission=submission)
    return OperationRunService().dispatch_many([request])[0]


def start_workspace_sync(
    workspace: Workspace, *, by: User, submission: uuid.UUID | None = None
) -> DispatchResult:
    """Start the inventory sync of every active tenant, or return the active one.

    Raises:
        Blocked: there is no active tenant.
    """
    if not Tenant.objects.filter(workspace=workspace).active().exists():
        raise Blocked("no_active_tenant", workspace=workspace.name)
    return OperationRunService().dispatch_or_fail(
        OperationRunType.WORKSPACE_INVENTORY_SYNC,
        workspace=workspace,
        by=by,
        submission=submission,
    )


def sync_request(
    run_type: OperationRunType,
    tenant: Tenant,
    *,
    by: User | None,
    initiator_name: str = "",
    parent_run_id: int | None = None,
    submission: uuid.UUID | None = None,
) -> RunRequest:
    """Return the run request of a tenant's sync; its type and its tenant are its identity."""
    target_scope: dict[str, object] = {
        "tenant_name": tenant.name,
        "tenant_external_id": str(tenant.external_id),
    }
    if run_type is OperationRunType.INVENTORY_SYNC:
        target_scope["kinds"] = list(POLICY_KINDS)
    context: dict[str, object] = {"target_scope": target_scope}
    connections = ProviderConnection.objects.defaults().filter(tenant=tenant)
    if connection_id := connections.values_list("pk", flat=True).first():
        context["provider_connection_id"] = connection_id
    if parent_run_id:
        context["parent_run_id"] = parent_run_id
    return RunRequest(
        type=run_type,
        workspace=tenant.workspace,
        tenant=tenant,
        by=by,
        initiator_name=initiator_name,
        context=context,
        submission=submission,
    )
