"""Tenants: the list, one of them, and what an owner changes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from tenancy import services
from tenancy.capabilities import Capability, capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.forms import GUID, TenantForm
from tenancy.http import Request, action, form_page, page, workspace_or_404
from tenancy.models import Tenant, TenantStatus, Workspace
from tenancy.paging import numbered_page
from tenancy.tenant_page import fact_columns, panels_for, starts_for


@page
def tenant_list(request: Request, slug: str) -> HttpResponse:
    """The tenants of a workspace, and what every app has to say of each."""
    workspace = workspace_or_404(request, slug)
    visible = Tenant.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    search, status = filters.text(), filters.one_of("status", "Status", TenantStatus.values)
    found = visible.none() if filters.errors else _found(visible, search, status)
    ordered = found.select_related("workspace").order_by("name", "pk")
    shown = numbered_page(ordered, request.GET.get("page"))
    context = {
        "page": shown,
        "columns": fact_columns(),
        "rows": _rows(list(shown)),
        "errors": filters.errors,
        "search": search,
        "status": status,
        "statuses": TenantStatus.choices,
        "is_known": visible.exists(),
    }
    framed = _framed(request, workspace, context)
    code = 400 if filters.errors else 200
    return render(request, "tenancy/tenant_list.html", framed, status=code)


@page
def tenant_detail(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """One tenant: what can be started, and what every app shows of it."""
    tenant = _tenant_or_404(request, slug, tenant_id)
    allowed = capabilities_of(request.user, tenant.workspace)
    starts = [
        {"start": start, "url": start.url(tenant.workspace, tenant)}
        for start in starts_for(allowed)
    ]
    parts = [
        {"template": template, "context": shown} for template, shown in panels_for(request, tenant)
    ]
    context = {"tenant": tenant, "starts": starts, "columns": [parts[0::2], parts[1::2]]}
    return render(
        request, "tenancy/tenant_detail.html", _framed(request, tenant.workspace, context)
    )


@form_page
def tenant_create(request: Request, slug: str) -> HttpResponse:
    """Add a tenant."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_TENANTS)
    return _edit(request, workspace, Tenant(workspace=workspace), "“{}” is added.")


@form_page
def tenant_edit(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Change a tenant's name or id."""
    tenant = _tenant_or_404(request, slug, tenant_id)
    require_capability(request.user, tenant.workspace, Capability.MANAGE_TENANTS)
    return _edit(request, tenant.workspace, tenant, "“{}” is changed.")


@action
def tenant_suspend(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Let nothing run on the tenant any more."""
    tenant = _tenant_or_404(request, slug, tenant_id)
    require_capability(request.user, tenant.workspace, Capability.MANAGE_TENANTS)
    services.suspend(tenant)
    messages.success(request, f"“{tenant.name}” is suspended: nothing new runs on it.")
    return redirect(tenant)


@action
def tenant_resume(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Let operations run on the tenant again."""
    tenant = _tenant_or_404(request, slug, tenant_id)
    require_capability(request.user, tenant.workspace, Capability.MANAGE_TENANTS)
    services.resume(tenant)
    messages.success(request, f"“{tenant.name}” is active again.")
    return redirect(tenant)


def _edit(request: Request, workspace: Workspace, tenant: Tenant, said: str) -> HttpResponse:
    name = tenant.name
    form = TenantForm(request.POST or None, instance=tenant)
    if request.method == "POST" and form.is_valid():
        try:
            services.save_tenant(tenant)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            messages.success(request, said.format(tenant.name))
            return redirect(tenant)
    context = {"form": form, "tenant": tenant if tenant.pk else None, "tenant_name": name}
    framed = _framed(request, workspace, context)
    status = 400 if form.is_bound else 200
    return render(request, "tenancy/tenant_form.html", framed, status=status)


def _tenant_or_404(request: Request, slug: str, tenant_id: int) -> Tenant:
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    return get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)


def _found(tenants: Any, search: str, status: str) -> Any:
    if search:
        by_id = Q(external_id=search.lower()) if GUID.fullmatch(search.lower()) else Q()
        tenants = tenants.filter(Q(name__icontains=search) | by_id)
    return tenants.filter(status=status) if status else tenants


def _rows(tenants: list[Tenant]) -> list[dict[str, Any]]:
    told = [column.tell(tenants) for column in fact_columns()]
    return [
        {"tenant": tenant, "facts": [facts.get(tenant.pk) for facts in told]} for tenant in tenants
    ]


def _framed(request: Request, workspace: Workspace, context: dict[str, Any]) -> dict[str, Any]:
    allowed = capabilities_of(request.user, workspace)
    return context | {
        "workspace": workspace,
        "section": "tenants",
        "may_manage": Capability.MANAGE_TENANTS in allowed,
    }
