"""A workspace: its settings, and who may do what in it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from tenancy import services
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.forms import MemberForm, RoleForm, WorkspaceForm
from tenancy.http import Request, action, form_page, page, workspace_or_404
from tenancy.models import Membership, Workspace
from tenancy.roles import Capability, Role

#: What each role may do, in the words of the page; each may do all that the one before it may.
ROLES = {
    Role.READER: "sees everything",
    Role.OPERATOR: "starts syncs, backups and exports, retries and acknowledges",
    Role.MANAGER: "schedules, connections, restores, and cancels any run",
    Role.OWNER: "tenants, members and these settings",
}


@page
def member_list(request: Request, slug: str) -> HttpResponse:
    """Who is a member of the workspace, and what that means."""
    return _members(request, workspace_or_404(request, slug), MemberForm())


@form_page
def member_add(request: Request, slug: str) -> HttpResponse:
    """Let somebody with an account into the workspace."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    form = MemberForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        login, role = form.cleaned_data["login"], Role(form.cleaned_data["role"])
        try:
            made = services.add_member(workspace, login, role, by=request.user)
        except ValidationError as error:
            form.add_error("login", error)
        else:
            messages.success(request, f"{made.user} is a member now.")
            return redirect("member_list", slug)
    return _members(request, workspace, form)


@action
def member_role(request: Request, slug: str, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    membership = _membership_or_404(request, slug, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the roles.")
        return redirect("member_list", slug)
    role = Role(form.cleaned_data["role"])
    try:
        services.change_role(membership, role, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, f"{membership.user} is {role.label.lower()} now.")
    return redirect("member_list", slug)


@action
def member_remove(request: Request, slug: str, membership_id: int) -> HttpResponse:
    """Take somebody out of the workspace."""
    membership = _membership_or_404(request, slug, membership_id)
    try:
        services.remove_member(membership, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect("member_list", slug)
    messages.success(request, f"{membership.user} is no member any more.")
    is_own = membership.user_id == request.user.pk
    return redirect("home") if is_own else redirect("member_list", slug)


@form_page
def workspace_edit(request: Request, slug: str) -> HttpResponse:
    """Change the settings of the workspace."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    name = workspace.name
    form = WorkspaceForm(request.POST or None, instance=workspace)
    if request.method == "POST" and form.is_valid():
        services.save_workspace(workspace)
        messages.success(request, "Saved.")
        return redirect("workspace_edit", slug)
    workspace.name = name
    status = 400 if form.is_bound else 200
    context = {"workspace": workspace, "form": form}
    return render(request, "tenancy/workspace_form.html", context, status=status)


def _members(request: Request, workspace: Workspace, form: MemberForm) -> HttpResponse:
    allowed = capabilities_of(request.user, workspace)
    members = workspace.memberships.select_related("user").order_by("user__username")
    context: dict[str, Any] = {
        "workspace": workspace,
        "members": members,
        "roles": [(role.value, role.label, means) for role, means in ROLES.items()],
        "form": form,
        "may_manage": Capability.MANAGE_MEMBERS in allowed,
    }
    status = 400 if form.is_bound else 200
    return render(request, "tenancy/member_list.html", context, status=status)


def _membership_or_404(request: Request, slug: str, membership_id: int) -> Membership:
    workspace = workspace_or_404(request, slug)
    members = workspace.memberships.select_related("user", "workspace")
    found = get_object_or_404(members, pk=membership_id)
    require_capability(request.user, workspace, Capability.MANAGE_MEMBERS)
    return found
