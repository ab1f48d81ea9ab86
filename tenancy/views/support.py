"""Staff open a workspace of others for support, and end that; so do its owners."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from tenancy import support_access
from tenancy.capabilities import has_capability
from tenancy.forms import SupportAccessForm
from tenancy.http import (
    Request,
    action,
    form_page,
    recent_sign_in_required,
    render_checked,
    show_unchanged,
)
from tenancy.models import SupportAccess
from tenancy.roles import Capability


@recent_sign_in_required
@form_page
def support_access_open(request: Request) -> HttpResponse:
    """Open a workspace, read-only; list the accesses of the user."""
    if not (request.user.is_staff and request.user.has_perm("tenancy.add_supportaccess")):
        raise PermissionDenied("Only staff with the permission for support access can do this.")
    form = SupportAccessForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        workspace = form.cleaned_data["workspace"]
        reason = form.cleaned_data["reason"]
        try:
            support_access.open_access(workspace, by=request.user, reason=reason)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, f"You can read {workspace.name} now. Its owners see that.")
            return redirect(workspace)
    accesses = request.user.support_accesses.select_related("workspace")
    context = {"form": form, "hours": settings.SUPPORT_ACCESS_HOURS, "accesses": accesses[:20]}
    return render_checked(request, "tenancy/support_access.html", context, errors=form.is_bound)


@action("home")
def support_access_end(request: Request, access_id: int) -> HttpResponse:
    """End an access: of the user, or as an owner of its workspace."""
    accesses = SupportAccess.objects.visible_to(request.user).select_related("workspace")
    access = get_object_or_404(accesses, pk=access_id)
    is_own = access.user_id == request.user.pk
    if not (is_own or has_capability(request.user, access.workspace, Capability.MANAGE_MEMBERS)):
        raise PermissionDenied("Only an owner of the workspace can end the access of others.")
    if support_access.end_access(access, by=request.user):
        messages.success(request, f"The support access of {access.user_name} has ended.")
    else:
        access.refresh_from_db()
        text = f"The support access of {access.user_name} had already ended"
        by, at = access.ended_by_name, access.ended_at or access.expires_at
        show_unchanged(request, text, access.workspace, by=by, at=at)
    return redirect("support_access_open" if is_own else access.workspace)
