"""The rules of a workspace: own ones, and those for all members."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from backups.models import BackupSchedule
from notifications.forms import RuleForm
from notifications.models import NotificationRule
from notifications.services import save_rule
from tenancy.capabilities import has_capability, require_capability
from tenancy.http import Request, action, form_page, page, render_checked, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.roles import Capability
from web.ids import parse_id


@page
def notification_rule_list(request: Request, slug: str) -> HttpResponse:
    """The rules of the user and of the workspace."""
    workspace = workspace_or_404(request, slug)
    rules = NotificationRule.objects.usable_by(request.user).filter(workspace=workspace)
    context = {
        "workspace": workspace,
        "rules": rules.with_scope().order_by("owner", "pk"),
        "may_share": has_capability(request.user, workspace, Capability.MANAGE_WORKSPACE),
    }
    return render(request, "notifications/rule_list.html", context)


@form_page
def notification_rule_create(request: Request, slug: str) -> HttpResponse:
    """Add a rule about the workspace, or about the tenant or schedule of the address."""
    workspace = workspace_or_404(request, slug)
    rule = NotificationRule(
        workspace=workspace, owner=request.user, created_by_name=request.user.username
    )
    if "schedule" in request.GET:
        schedules = BackupSchedule.objects.visible_to(request.user).filter(deleted_at=None)
        rule.schedule = get_object_or_404(
            schedules.select_related("tenant"), workspace=workspace, pk=_id(request, "schedule")
        )
        rule.tenant = rule.schedule.tenant
    elif "tenant" in request.GET:
        tenants = Tenant.objects.visible_to(request.user).listed()
        rule.tenant = get_object_or_404(tenants, workspace=workspace, pk=_id(request, "tenant"))
    return _edit(request, workspace, rule)


@form_page
def notification_rule_edit(request: Request, slug: str, rule_id: int) -> HttpResponse:
    """Change a rule."""
    rule = _rule_or_404(request, slug, rule_id)
    return _edit(request, rule.workspace, rule)


@action("notification_rule_edit", "slug", "rule_id")
def notification_rule_delete(request: Request, slug: str, rule_id: int) -> HttpResponse:
    """Delete a rule."""
    rule = _rule_or_404(request, slug, rule_id)
    rule.delete()
    messages.success(request, "The rule is deleted.")
    return redirect("notification_rule_list", slug)


def _id(request: Request, name: str) -> int:
    object_id = parse_id(request.GET.get(name, ""))
    if object_id is None:
        raise Http404
    return object_id


def _rule_or_404(request: Request, slug: str, rule_id: int) -> NotificationRule:
    """Return a rule that the user may change: an own one, or a shared one with the capability."""
    rules = NotificationRule.objects.usable_by(request.user).with_scope()
    rule = get_object_or_404(rules, workspace__slug=slug, pk=rule_id)
    if rule.is_shared:
        require_capability(request.user, rule.workspace, Capability.MANAGE_WORKSPACE)
    return rule


def _edit(request: Request, workspace: Workspace, rule: NotificationRule) -> HttpResponse:
    may_share = has_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    if "is_shared" in request.POST:
        require_capability(request.user, workspace, Capability.MANAGE_WORKSPACE)
    form = RuleForm(request.POST or None, instance=rule, may_share=may_share)
    if request.method == "POST" and form.is_valid():
        rule = form.save(commit=False)
        if may_share:
            rule.owner = None if form.cleaned_data["is_shared"] else request.user
        try:
            save_rule(rule)
        except ValidationError as error:
            form.add_error(None, error.messages)
        else:
            messages.success(request, "The rule is saved.")
            return redirect("notification_rule_list", workspace.slug)
    context = {"workspace": workspace, "rule": rule, "form": form}
    return render_checked(request, "notifications/rule_form.html", context, errors=form.is_bound)
