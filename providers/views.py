"""The pages and actions of connections."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from operations.models import OperationRun
from operations.reasons import get_reason
from operations.types import OperationRunType
from operations.views.start import dispatch_and_redirect, submission_of
from providers import services
from providers.clouds import admin_consent_url
from providers.connections import default_connection
from providers.forms import ConnectionForm, CredentialForm, NewConnectionForm
from providers.graph.permissions import (
    audit_permissions,
    optional_permissions,
    permission_for,
    read_permissions,
    restore_permissions,
)
from providers.graph.policy_kind import in_sentence
from providers.models import CredentialKind, ProviderConnection
from providers.probes import PROBES, WRITES
from tenancy.capabilities import capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.forms import ReasonForm
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
from tenancy.models import Tenant, TenantStatus, Workspace
from tenancy.roles import Capability
from web.csv_export import Columns
from web.numbered import has_rows, numbered_page

#: The label, icon and color key of a check result.
_RESULTS = {
    "granted": ("Granted", "check", "succeeded"),
    "missing": ("Missing", "x", "failed"),
    "left_out": ("Left out", "circle-minus", "cancelled"),
    "not_licensed": ("Not licensed", "circle-minus", "cancelled"),
    "unverified": ("Verified by the first restore", "circle-minus", "cancelled"),
    "unknown": ("Unknown", "alert-triangle", "partially_succeeded"),
}


#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "connection": "name",
    "cloud": "cloud",
    "client_id": "client_id",
    "access": "access",
    "is_default": "is_default",
    "credential": "credential_kind",
    "credential_expires_on": "credential_expires_on",
    "status": "status",
    "checked_at": "checked_at",
}


@page
def connection_list(request: Request, slug: str) -> HttpResponseBase:
    """The connections of a workspace, with the result of the last check of each."""
    workspace = workspace_or_404(request, slug)
    visible = ProviderConnection.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    search = filters.text("Name or tenant")
    connections = visible.filter(Q(name__icontains=search) | Q(tenant__name__icontains=search))
    connections = connections.exclude(tenant__status=TenantStatus.ARCHIVED)
    if filters.errors:
        connections = visible.none()
    rows = connections.select_related("tenant", "workspace").order_by("tenant__name", "name", "pk")
    numbered = numbered_page(rows, request.GET.get("page"))
    context = {
        "title": "Connections",
        "noun": "connection",
        "filters": filters,
        "has_rows": has_rows(numbered, visible),
        "page": numbered,
        "has_tenants": has_rows(numbered, Tenant.objects.listed().filter(workspace=workspace)),
    }
    context |= _frame(request, workspace)
    return render_list(
        request,
        "providers/connection_list.html",
        context,
        rows=rows,
        columns=COLUMNS,
        errors=filters.errors,
    )


@page
def connection_detail(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """A connection, its permissions and the state of its credential."""
    connection = _connection_or_404(request, slug, connection_id)
    tenant_id, client_id = connection.tenant.external_id, connection.client_id
    context = {
        "connection": connection,
        "matrix": _matrix(connection),
        "reason": get_reason(connection.check_reason_code),
        "last_check": _last_check(request, connection),
        "read_permissions": read_permissions(),
        "optional_permissions": optional_permissions(),
        "audit_permissions": audit_permissions(),
        "restore_permissions": restore_permissions(),
        "consent_url": admin_consent_url(connection.cloud, tenant_id, client_id),
    }
    context |= _frame(request, connection.workspace)
    return render(request, "providers/connection_detail.html", context)


@form_page
def connection_create(request: Request, slug: str) -> HttpResponse:
    """Add a connection; the next page asks for its credential."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.MANAGE_CONNECTIONS)
    form = NewConnectionForm(
        request.POST or None,
        instance=ProviderConnection(workspace=workspace),
        workspace=workspace,
        initial={"tenant": request.GET.get("tenant", ""), "name": "Default"},
    )
    if request.method == "POST" and form.is_valid():
        form.instance.tenant = form.cleaned_data["tenant"]
        if _save(form):
            messages.success(
                request, f"Connection “{form.instance.name}” added. Enter its credential now."
            )
            return redirect("connection_credential", workspace.slug, form.instance.pk)
    return _form(request, workspace, form, "Add connection", action="Add connection")


@form_page
def connection_edit(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Edit the connection without its credential."""
    connection = _managed_or_404(request, slug, connection_id)
    url = connection.get_absolute_url()
    form = ConnectionForm(request.POST or None, instance=connection)
    if request.method == "POST" and form.is_valid() and _save(form):
        messages.success(request, f"Connection “{connection.name}” saved.")
        return redirect(url)
    return _form(
        request, connection.workspace, form, "Edit connection", action="Save connection", back=url
    )


@recent_sign_in_required
@sensitive_post_parameters()
@form_page
def connection_credential(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Enter a new credential. It is never displayed, not even after an error."""
    connection = _managed_or_404(request, slug, connection_id)
    form = CredentialForm(request.POST or None, initial={"kind": connection.credential_kind})
    if request.method == "POST" and form.is_valid():
        services.rotate_credential(
            connection,
            kind=CredentialKind(form.cleaned_data["kind"]),
            plaintext=form.plaintext,
            expires_on=form.cleaned_data["expires_on"],
        )
        messages.success(request, "Credential saved. Check the connection now.")
        return redirect(connection)
    title, back = f"Credential of {connection.name}", connection.get_absolute_url()
    return _form(request, connection.workspace, form, title, action="Save credential", back=back)


@action("connection_detail", "slug", "connection_id")
def connection_default(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Make this connection the default of its tenant."""
    connection = _managed_or_404(request, slug, connection_id)
    services.make_default(connection)
    messages.success(
        request, f"“{connection.name}” is now the default connection of {connection.tenant.name}."
    )
    return redirect(connection)


@recent_sign_in_required
@action("connection_detail", "slug", "connection_id")
def connection_remove(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Remove the connection and its credential."""
    connection = _managed_or_404(request, slug, connection_id)
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return ask_again(
            request,
            form,
            workspace=connection.workspace,
            section="connections",
            action="Remove connection",
            back=connection.get_absolute_url(),
            back_title=connection.name,
        )
    reason = form.cleaned_data["reason"]
    is_removed = try_service(
        request,
        lambda: services.remove_connection(connection, by=request.user, reason=reason),
        success=f"Connection “{connection.name}” of {connection.tenant.name} removed.",
    )
    if not is_removed:
        return redirect(connection)
    return redirect("connection_list", slug)


@action("connection_detail", "slug", "connection_id")
def connection_check(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Check the connection, or redirect to the check that is already active."""
    connection = _connection_or_404(request, slug, connection_id)
    require_capability(request.user, connection.workspace, Capability.CHECK_CONNECTION)
    submission = submission_of(request)
    return dispatch_and_redirect(
        request,
        lambda: services.start_check(connection, by=request.user, submission=submission),
        blocked_to=connection,
    )


@action("tenant_detail", "slug", "tenant_id")
def connection_check_tenant(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Check the default connection of the tenant."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    require_capability(request.user, tenant.workspace, Capability.CHECK_CONNECTION)
    submission = submission_of(request)
    return dispatch_and_redirect(
        request,
        lambda: services.start_check(
            default_connection(tenant), by=request.user, submission=submission
        ),
        blocked_to=tenant,
    )


def _connection_or_404(request: Request, slug: str, connection_id: int) -> ProviderConnection:
    visible = ProviderConnection.objects.visible_to(request.user)
    scoped = visible.select_related("tenant", "workspace")
    return get_object_or_404(scoped, workspace__slug=slug, pk=connection_id)


def _managed_or_404(request: Request, slug: str, connection_id: int) -> ProviderConnection:
    connection = _connection_or_404(request, slug, connection_id)
    require_capability(request.user, connection.workspace, Capability.MANAGE_CONNECTIONS)
    return connection


def _save(form: Any) -> bool:
    """Save the connection of a form. If the service refuses, add its errors to the form."""
    try:
        services.save_connection(form.instance)
    except ValidationError as error:
        form.add_error(None, error.messages)
        return False
    return True


def _form(
    request: Request, workspace: Workspace, form: Any, title: str, *, action: str, back: str = ""
) -> HttpResponse:
    context = {"form": form, "title": title, "action": action, "back": back}
    context |= _frame(request, workspace)
    return render_checked(request, "providers/connection_form.html", context, errors=form.is_bound)


def _matrix(connection: ProviderConnection) -> list[dict[str, Any]]:
    """Return the results of the last check in the order of the probes."""
    probes = [(key, label, permission_for(path).read) for key, (label, path) in PROBES.items()]
    probes += [
        (key, f"Writing {in_sentence(kind.label_plural)}", kind.write_permission)
        for key, kind in WRITES.items()
    ]
    rows = []
    for key, label, permission in probes:
        if result := connection.check_results.get(key):
            word, icon, outcome = _RESULTS.get(str(result), _RESULTS["unknown"])
            row = {"label": label, "permission": permission}
            rows.append(row | {"word": word, "icon": icon, "key": outcome})
    return rows


def _last_check(request: Request, connection: ProviderConnection) -> OperationRun | None:
    runs = OperationRun.objects.visible_to(request.user).filter(
        tenant=connection.tenant_id,
        type=OperationRunType.PROVIDER_CONNECTION_CHECK,
        context__provider_connection_id=connection.pk,
    )
    return runs.newest_first().first()


def _frame(request: Request, workspace: Workspace) -> dict[str, Any]:
    """Return the context that every page of connections needs."""
    allowed = capabilities_of(request.user, workspace)
    return {
        "workspace": workspace,
        "section": "connections",
        "may_manage": Capability.MANAGE_CONNECTIONS in allowed,
        "may_check": Capability.CHECK_CONNECTION in allowed,
    }
