"""Starting syncs: of one tenant, of all."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from inventory import services
from operations.reasons import Blocked
from operations.types import OperationRunType
from operations.views.start import redirect_to_dispatch, submission_of
from tenancy.capabilities import require_capability
from tenancy.http import Request, action, workspace_or_404
from tenancy.models import Tenant
from tenancy.roles import Capability


@action
def inventory_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's policies."""
    return _start(request, slug, tenant_id, OperationRunType.INVENTORY_SYNC)


@action
def directory_groups_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's groups."""
    return _start(request, slug, tenant_id, OperationRunType.DIRECTORY_GROUPS_SYNC)


@action
def role_definitions_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's directory roles."""
    return _start(request, slug, tenant_id, OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC)


@action
def workspace_inventory_sync(request: Request, slug: str) -> HttpResponse:
    """List the policies of every active tenant."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.START_SYNC)
    try:
        result = services.start_workspace_sync(
            workspace, by=request.user, submission=submission_of(request)
        )
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect("policy_list", workspace.slug)
    return redirect_to_dispatch(request, result)


def _start(request: Request, slug: str, tenant_id: int, run_type: OperationRunType) -> HttpResponse:
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    require_capability(request.user, tenant.workspace, Capability.START_SYNC)
    try:
        result = services.start_sync(
            run_type, tenant, by=request.user, submission=submission_of(request)
        )
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect(tenant)
    return redirect_to_dispatch(request, result)
