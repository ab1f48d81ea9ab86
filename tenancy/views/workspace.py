"""A workspace: its settings, its members and their roles."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from tenancy import services
from tenancy.capabilities import NEW_ROLE, has_capability, require_capability
from tenancy.forms import NewWorkspaceForm, ReasonForm, RoleForm, WorkspaceForm
from tenancy.http import (
    Request,
    action,
    ask_again,
    form_page,
    page,
    recent_sign_in_required,
    render_checked,
    render_list,
    try_service,
    workspace_or_404,
)
from tenancy.models import Membership
from tenancy.roles import Capability, Role
from web.csv_export import Columns

#: The permissions of each role; each role also has those of the roles before it.
ROLES = {
    Role.READER: "View everything",
    Role.OPERATOR: "Start syncs, backups and exports; retry and acknowledge runs, share views",
    Role.MANAGER: "Manage schedules and connections, restore objects, cancel any run",
    Role.OWNER: "Manage tenants, members and workspace settings, view the audit log",
}


@form_page
def workspace_create(request: Request) -> HttpResponse:
    """Create a workspace, of which the member of staff becomes the owner."""
    if not request.user.is_staff:
        raise PermissionDenied("Only staff create workspaces.")
    form = NewWorkspaceForm(request.POST or None, initial={"timezone": "UTC"})
    if request.method == "POST" and form.is_valid():
        try:
            services.create_workspace(form.instance, owner=request.user)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(
                request, f"Workspace “{form.instance.name}” created. You are its owner."
            )
            return redirect(form.instance)
    context = {"form": form}
    return render_checked(request, "tenancy/workspace_create.html", context, errors=form.is_bound)


#: The columns of the export.
COLUMNS: Columns = {
    "user": "user.username",
    "name": lambda member: member.user.get_full_name(),
    "role": "role",
    "is_active": "user.is_active",
    "member_since": "created_at",
}


@page
def member_list(request: Request, slug: str) -> HttpResponseBase:
    """List the members of the workspace and their roles."""
    workspace = workspace_or_404(request, slug)
    members = (
        Membership.objects.of_persons()
        .filter(workspace=workspace)
        .select_related("user")
        .annotate(has_new_role=Q(role_since__gt=Now() - NEW_ROLE))
        .order_by("user__username", "pk")
    )
    context = {
        "workspace": workspace,
        "title": "Members",
        "members": members,
        "roles": [(role.value, role.label, summary) for role, summary in ROLES.items()],
        "may_manage": has_capability(request.user, workspace, Capability.MANAGE_MEMBERS),
        "staff_changes": workspace.latest_staff_changes(),
        "accesses": workspace.support_accesses.all()[:20],
    }
    return render_list(request, "tenancy/member_list.html", context, rows=members, columns=COLUMNS)


@recent_sign_in_required
@action("member_list", "slug")
def member_role(request: Request, slug: str, membership_id: int) -> HttpResponse:
    """Change the role of a member."""
    membership = _membership_or_404(request, slug, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Select one of the roles.")
        return redirect("member_list", slug)
    role = Role(form.cleaned_data["role"])
    try_service(
        request,
        lambda: services.change_role(membership, role, by=request.user),
        success=f"The role of {membership.user} is now {role.label.lower()}.",
    )
    return redirect("member_list", slug)


@recent_sign_in_required
@action("member_list", "slug")
def member_remove(request: Request, slug: str, membership_id: int) -> HttpResponse:
    """Remove a member from the workspace."""
    membership = _membership_or_404(request, slug, membership_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return ask_again(
            request,
            form,
            workspace=membership.workspace,
            section="members",
            action=f"Remove member {membership.user}",
            back=reverse("member_list", args=[slug]),
            back_title="Members",
        )
    reason = form.cleaned_data["reason"]
    is_removed = try_service(
        request,
        lambda: services.remove_member(membership, by=request.user, reason=reason),
        success=f"{membership.user} removed.",
    )
    if is_removed and membership.user_id == request.user.pk:
        return redirect("home")
    return redirect("member_list", slug)


@recent_sign_in_required
@form_page
def workspace_edit(request: Request, slug: str) -> HttpResponse:
    """Edit the settings of the workspace."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    name, approval_is_on = workspace.name, workspace.restores_need_approval
    form = WorkspaceForm(request.POST or None, instance=workspace)
    if request.method == "POST" and form.is_valid():
        services.save_workspace(workspace)
        messages.success(request, "Workspace settings saved.")
        return redirect("workspace_edit", slug)
    workspace.name, workspace.restores_need_approval = name, approval_is_on
    context = {
        "workspace": workspace,
        "form": form,
        "approval_off": workspace.open_approval_off_request(),
        "owner_count": workspace.active_owners().count(),
        "past_requests": workspace.approval_off_requests.exclude(ended_at=None)[:5],
    }
    return render_checked(request, "tenancy/workspace_form.html", context, errors=form.is_bound)


def _membership_or_404(request: Request, slug: str, membership_id: int) -> Membership:
    workspace = workspace_or_404(request, slug)
    members = Membership.objects.of_persons().filter(workspace=workspace)
    membership = get_object_or_404(members.select_related("user", "workspace"), pk=membership_id)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    return membership
