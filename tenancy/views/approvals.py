"""The actions of owners who switch off the approval of restores."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from tenancy import approval_off
from tenancy.capabilities import require_capability
from tenancy.http import (
    Request,
    action,
    recent_sign_in_required,
    try_service,
    workspace_or_404,
)
from tenancy.models import ApprovalOffRequest
from tenancy.roles import Capability


@recent_sign_in_required
@action("workspace_edit", "slug")
def approval_off_request(request: Request, slug: str) -> HttpResponse:
    """Request to switch the approval off."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    try_service(
        request,
        lambda: approval_off.request_approval_off(workspace, by=request.user),
        success="Request saved. All members see it.",
    )
    return redirect("workspace_edit", slug)


@recent_sign_in_required
@action("workspace_edit", "slug")
def approval_off_confirm(request: Request, slug: str, request_id: int) -> HttpResponse:
    """Confirm the request of another owner."""
    off_request = _request_or_404(request, slug, request_id)
    try_service(
        request,
        lambda: approval_off.confirm_approval_off(off_request, by=request.user),
        success="New restores need no approval. Restores in preview still do.",
    )
    return redirect("workspace_edit", slug)


@action("workspace_edit", "slug")
def approval_off_withdraw(request: Request, slug: str, request_id: int) -> HttpResponse:
    """Withdraw a request."""
    off_request = _request_or_404(request, slug, request_id)
    try_service(
        request,
        lambda: approval_off.withdraw_approval_off(off_request, by=request.user),
        success="Request withdrawn. Restores still need an approval.",
    )
    return redirect("workspace_edit", slug)


def _request_or_404(request: Request, slug: str, request_id: int) -> ApprovalOffRequest:
    workspace = workspace_or_404(request, slug)
    requests = workspace.approval_off_requests.select_related("workspace")
    off_request = get_object_or_404(requests, pk=request_id)
    require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    return off_request
