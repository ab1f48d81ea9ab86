"""The page on which owners map groups to roles."""

from __future__ import annotations

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from accounts.group_roles.forms import GroupRoleForm
from accounts.group_roles.models import GroupRole
from accounts.identity_providers import identity_providers
from tenancy.capabilities import require_capability
from tenancy.http import (
    Request,
    action,
    form_page,
    recent_sign_in_required,
    render_checked,
    workspace_or_404,
)
from tenancy.roles import Capability


@recent_sign_in_required
@form_page
def group_role_list(request: Request, slug: str) -> HttpResponse:
    """List the groups that give a role in the workspace, and add one."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    form = GroupRoleForm(request.POST or None, instance=GroupRole(workspace=workspace))
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                group_role = form.save()
        except IntegrityError:
            form.add_error("group", "This group already gives a role in this workspace.")
        else:
            role = group_role.get_role_display().lower()
            text = f"Users of {group_role.group} become {role} when they sign in."
            messages.success(request, text)
            return redirect("group_role_list", slug)
    context = {
        "workspace": workspace,
        "group_roles": workspace.group_roles.all(),
        "providers": identity_providers(),
        "form": form,
    }
    return render_checked(request, "accounts/group_role_list.html", context, errors=form.is_bound)


@recent_sign_in_required
@action("group_role_list", "slug")
def group_role_remove(request: Request, slug: str, group_role_id: int) -> HttpResponse:
    """Remove a group; the memberships that it gave end at the next sign-in of each user."""
    workspace = workspace_or_404(request, slug)
    group_role = get_object_or_404(workspace.group_roles, pk=group_role_id)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    group_role.delete()
    messages.success(
        request,
        f"{group_role.group} no longer gives a role. Its members leave at their next sign-in.",
    )
    return redirect("group_role_list", slug)
