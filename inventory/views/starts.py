"""Start a sync of one tenant, or of all tenants."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from inventory import services
from operations.types import OperationRunType
from operations.views.start import dispatch_and_redirect, submission_of
from tenancy.capabilities import require_capability
from tenancy.http import Request, action, workspace_or_404
from tenancy.models import Tenant
from tenancy.roles import Capability


@action("tenant_detail", "slug", "tenant_id")
def inventory_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's policies."""
    return _start(request, slug, tenant_id, OperationRunType.INVENTORY_SYNC)


@action("tenant_detail", "slug", "tenant_id")
def directory_groups_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's groups."""
    return _start(request, slug, tenant_id, OperationRunType.DIRECTORY_GROUPS_SYNC)


@action("tenant_detail", "slug", "tenant_id")
def role_definitions_sync(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """List a tenant's directory roles."""
    return _start(request, slug, tenant_id, OperationRunType.DIRECTORY_ROLE_DEFINITIONS_SYNC)


@action("policy_list", "slug")
def workspace_inventory_sync(request: Request, slug: str) -> HttpResponse:
    """List the policies of every active tenant."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.START_SYNC)
    submission = submission_of(request)
    return dispatch_and_redirect(
        request,
        lambda: services.start_workspace_sync(workspace, by=request.user, submission=submission),
        blocked_to=reverse("policy_list", args=[workspace.slug]),
    )


def _start(request: Request, slug: str, tenant_id: int, run_type: OperationRunType) -> HttpResponse:
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    require_capability(request.user, tenant.workspace, Capability.START_SYNC)
    submission = submission_of(request)
    return dispatch_and_redirect(
        request,
        lambda: services.start_sync(run_type, tenant, by=request.user, submission=submission),
        blocked_to=tenant,
    )
