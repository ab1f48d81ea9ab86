"""The pages and actions of tenants."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from tenancy import services
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.forms import GUID, ReasonForm, TenantForm
from tenancy.http import (
    Request,
    action,
    ask_again,
    form_page,
    page,
    render_checked,
    render_list,
    show_unchanged,
    try_service,
    workspace_or_404,
)
from tenancy.models import Tenant, TenantStatus, Workspace
from tenancy.roles import Capability
from tenancy.tenant_page import fact_columns, panels_for, starts_for, with_values
from web.csv_export import Columns
from web.numbered import has_rows, numbered_page

#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "name",
    "entra_tenant_id": "external_id",
    "status": "status",
    "created_at": "created_at",
}


@page
def tenant_list(request: Request, slug: str) -> HttpResponseBase:
    """List the tenants of a workspace, with the facts that apps register."""
    workspace = workspace_or_404(request, slug)
    visible = Tenant.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    matches = Q()
    if search := filters.text("Name or Entra tenant ID"):
        matches = Q(name__icontains=search)
        if GUID.fullmatch(search.lower()):
            matches |= Q(external_id=search.lower())
    if status := filters.choice("status", "Status", TenantStatus.choices, empty="Any status"):
        tenants = visible.filter(matches, status=status)
    else:
        tenants = visible.listed().filter(matches)
    if filters.errors:
        tenants = visible.none()
    ordered = tenants.select_related("workspace").order_by("name", "pk")
    rows = numbered_page(ordered, request.GET.get("page"))
    context = {
        "title": "Tenants",
        "noun": "tenant",
        "filters": filters,
        "has_rows": has_rows(rows, visible),
        "page": rows,
        "columns": fact_columns(),
        "rows": _rows(list(rows)),
    }
    framed = _with_frame(request, workspace, context)
    return render_list(
        request,
        "tenancy/tenant_list.html",
        framed,
        rows=ordered,
        columns=COLUMNS,
        errors=filters.errors,
    )


@page
def tenant_detail(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Show a tenant: the operations to start, and the panels that apps register."""
    workspace = workspace_or_404(request, slug)
    tenants = with_values(Tenant.objects.filter(workspace=workspace))
    tenant = get_object_or_404(tenants, pk=tenant_id)
    tenant.workspace = workspace
    allowed = capabilities_of(request.user, tenant.workspace)
    starts = [
        {"start": start, "url": start.url(tenant.workspace, tenant)}
        for start in starts_for(allowed)
    ]
    panels = [
        {"template": template, "context": panel} for template, panel in panels_for(request, tenant)
    ]
    context = {"tenant": tenant, "starts": starts, "panels": panels}
    framed = context | _frame(tenant.workspace, allowed)
    return render(request, "tenancy/tenant_detail.html", framed)


@form_page
def tenant_create(request: Request, slug: str) -> HttpResponse:
    """Add a tenant."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_TENANTS)
    return _edit(request, workspace, Tenant(workspace=workspace), "Tenant “{}” added.")


@form_page
def tenant_edit(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Edit a tenant."""
    tenant = _managed_or_404(request, slug, tenant_id)
    return _edit(request, tenant.workspace, tenant, "Tenant “{}” saved.")


@action("tenant_detail", "slug", "tenant_id")
def tenant_suspend(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Suspend the tenant: no operation starts on it."""
    return _change_status(
        request,
        _managed_or_404(request, slug, tenant_id),
        TenantStatus.SUSPENDED,
        "Suspend tenant",
        "Tenant “{}” suspended. No new runs start on it.",
    )


@action("tenant_detail", "slug", "tenant_id")
def tenant_archive(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Archive the tenant: it is hidden, its schedules stop, and no operation starts on it."""
    return _change_status(
        request,
        _managed_or_404(request, slug, tenant_id),
        TenantStatus.ARCHIVED,
        "Archive tenant",
        "Tenant “{}” archived. The list of tenants shows it with the filter “Archived”.",
    )


@action("tenant_detail", "slug", "tenant_id")
def tenant_resume(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Resume a suspended or archived tenant: operations start on it again."""
    tenant = _managed_or_404(request, slug, tenant_id)
    try_service(
        request,
        lambda: services.resume(tenant, by=request.user),
        success=f"Tenant “{tenant.name}” resumed.",
        say_unchanged=lambda: _say_unchanged(request, tenant),
    )
    return redirect(tenant)


def _change_status(
    request: Request, tenant: Tenant, status: TenantStatus, button: str, success: str
) -> HttpResponse:
    """Change the status for the reason in the form, or ask for the reason again."""
    change = {TenantStatus.SUSPENDED: services.suspend, TenantStatus.ARCHIVED: services.archive}
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return ask_again(
            request,
            form,
            workspace=tenant.workspace,
            section="tenants",
            action=button,
            back=tenant.get_absolute_url(),
            back_title=tenant.name,
        )
    reason = form.cleaned_data["reason"]
    try_service(
        request,
        lambda: change[status](tenant, by=request.user, reason=reason),
        success=success.format(tenant.name),
        say_unchanged=lambda: _say_unchanged(request, tenant),
    )
    return redirect(tenant)


def _say_unchanged(request: Request, tenant: Tenant) -> None:
    """Say who gave the tenant its status; that can have been another request of this moment."""
    tenant.refresh_from_db()
    status = TenantStatus(tenant.status).label.lower()
    show_unchanged(
        request,
        f"The tenant was already {status}",
        tenant.workspace,
        by=tenant.status_changed_by_name,
        at=tenant.status_changed_at,
    )


def _managed_or_404(request: Request, slug: str, tenant_id: int) -> Tenant:
    tenant = _tenant_or_404(request, slug, tenant_id)
    require_capability(request.user, tenant.workspace, Capability.MANAGE_TENANTS)
    return tenant


def _edit(request: Request, workspace: Workspace, tenant: Tenant, success: str) -> HttpResponse:
    name = tenant.name
    form = TenantForm(request.POST or None, instance=tenant)
    if request.method == "POST" and form.is_valid():
        try:
            services.save_tenant(tenant)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, success.format(tenant.name))
            return redirect(tenant)
    context = {"form": form, "tenant": tenant if tenant.pk else None, "tenant_name": name}
    framed = _with_frame(request, workspace, context)
    return render_checked(request, "tenancy/tenant_form.html", framed, errors=form.is_bound)


def _tenant_or_404(request: Request, slug: str, tenant_id: int) -> Tenant:
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    return get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)


def _rows(tenants: list[Tenant]) -> list[dict[str, Any]]:
    columns = [(column.label, column.load(tenants)) for column in fact_columns()]
    return [
        {"tenant": tenant, "facts": [(label, facts.get(tenant.pk)) for label, facts in columns]}
        for tenant in tenants
    ]


def _with_frame(request: Request, workspace: Workspace, context: dict[str, Any]) -> dict[str, Any]:
    return context | _frame(workspace, capabilities_of(request.user, workspace))


def _frame(workspace: Workspace, allowed: frozenset[Capability]) -> dict[str, Any]:
    may_manage = Capability.MANAGE_TENANTS in allowed
    return {"workspace": workspace, "section": "tenants", "may_manage": may_manage}
