"""The pages of connections, and what can be done with one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters

from operations.models import OperationRun
from operations.reasons import Blocked, get_reason
from operations.types import OperationRunType
from operations.views.start import redirect_to_dispatch, submission_of
from providers import services
from providers.clouds import admin_consent_url
from providers.connections import default_connection
from providers.forms import ConnectionForm, CredentialForm, NewConnectionForm
from providers.graph.kinds import in_sentence
from providers.graph.permissions import permission_for, read_permissions, restore_permissions
from providers.models import CredentialKind, ProviderConnection
from providers.probes import PROBES, WRITES
from tenancy.capabilities import Capability, capabilities_of, require_capability
from tenancy.filtering import ListFilter
from tenancy.http import Request, action, form_page, page, workspace_or_404
from tenancy.models import Tenant, Workspace
from tenancy.paging import numbered_page

_WORDS = {
    "granted": ("Granted", "check", "succeeded"),
    "missing": ("Missing", "x", "failed"),
    "not_licensed": ("Not licensed", "circle-minus", "cancelled"),
    "untold": ("Shown by the first restore", "circle-minus", "cancelled"),
    "unknown": ("Could not be told", "alert-triangle", "partially_succeeded"),
}


@page
def connection_list(request: Request, slug: str) -> HttpResponse:
    """The connections of a workspace, and what the last check of each found."""
    workspace = workspace_or_404(request, slug)
    visible = ProviderConnection.objects.visible_to(request.user).filter(workspace=workspace)
    filters = ListFilter(request.GET)
    search = filters.text()
    found = visible.filter(Q(name__icontains=search) | Q(tenant__name__icontains=search))
    ordered = found.select_related("tenant", "workspace").order_by("tenant__name", "name", "pk")
    rows = ordered.none() if filters.errors else ordered
    context = {
        "page": numbered_page(rows, request.GET.get("page")),
        "errors": filters.errors,
        "search": search,
        "is_known": visible.exists(),
        "has_tenants": Tenant.objects.filter(workspace=workspace).exists(),
    }
    framed = _framed(request, workspace, context)
    status = 400 if filters.errors else 200
    return render(request, "providers/connection_list.html", framed, status=status)


@page
def connection_detail(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """One connection: what it may do, what to grant, the state of its credential."""
    connection = _connection_or_404(request, slug, connection_id)
    tenant_id, client_id = connection.tenant.external_id, connection.client_id
    context = {
        "connection": connection,
        "matrix": _matrix(connection),
        "reason": get_reason(connection.check_reason_code),
        "last_check": _last_check(request, connection),
        "read_permissions": read_permissions(),
        "restore_permissions": restore_permissions(),
        "consent_url": admin_consent_url(connection.cloud, tenant_id, client_id),
    }
    framed = _framed(request, connection.workspace, context)
    return render(request, "providers/connection_detail.html", framed)


@form_page
def connection_create(request: Request, slug: str) -> HttpResponse:
    """Add a connection; then its credential is entered."""
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
        if _saved(form):
            messages.success(request, f"“{form.instance.name}” is added. Now its credential.")
            return redirect("connection_credential", workspace.slug, form.instance.pk)
    return _form(request, workspace, form, "Add a connection")


@form_page
def connection_edit(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Change what is known of the app registration."""
    connection = _managed(request, slug, connection_id)
    url = connection.get_absolute_url()
    form = ConnectionForm(request.POST or None, instance=connection)
    if request.method == "POST" and form.is_valid() and _saved(form):
        messages.success(request, f"“{connection.name}” is changed.")
        return redirect(url)
    return _form(request, connection.workspace, form, "Edit the connection", back=url)


@sensitive_post_parameters()
@form_page
def connection_credential(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Enter a new credential. It is never shown, not even after an error."""
    connection = _managed(request, slug, connection_id)
    form = CredentialForm(request.POST or None, initial={"kind": connection.credential_kind})
    if request.method == "POST" and form.is_valid():
        services.rotate_credential(
            connection,
            kind=CredentialKind(form.cleaned_data["kind"]),
            plaintext=form.plaintext,
            expires_on=form.cleaned_data["expires_on"],
        )
        messages.success(request, "The new credential is stored. Check the connection now.")
        return redirect(connection)
    title, back = f"Credential of {connection.name}", connection.get_absolute_url()
    return _form(request, connection.workspace, form, title, back=back)


@action
def connection_default(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Use this connection for its tenant from now on."""
    connection = _managed(request, slug, connection_id)
    services.make_default(connection)
    messages.success(request, f"{connection.tenant.name} uses “{connection.name}” from now on.")
    return redirect(connection)


@action
def connection_remove(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Forget the connection and its credential."""
    connection = _managed(request, slug, connection_id)
    try:
        services.remove_connection(connection, by=request.user)
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect(connection)
    messages.success(request, f"“{connection.name}” of {connection.tenant.name} is removed.")
    return redirect("connection_list", slug)


@action
def connection_check(request: Request, slug: str, connection_id: int) -> HttpResponse:
    """Check the connection, or lead to the check that is active already."""
    connection = _connection_or_404(request, slug, connection_id)
    require_capability(request.user, connection.workspace, Capability.CHECK_CONNECTION)
    return _check(request, connection)


@action
def connection_check_tenant(request: Request, slug: str, tenant_id: int) -> HttpResponse:
    """Check the connection that the tenant uses."""
    tenants = Tenant.objects.visible_to(request.user).select_related("workspace")
    tenant = get_object_or_404(tenants, workspace__slug=slug, pk=tenant_id)
    require_capability(request.user, tenant.workspace, Capability.CHECK_CONNECTION)
    try:
        connection = default_connection(tenant)
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect(tenant)
    return _check(request, connection)


def _check(request: Request, connection: ProviderConnection) -> HttpResponse:
    submission = submission_of(request)
    try:
        result = services.start_check(connection, by=request.user, submission=submission)
    except Blocked as blocked:
        messages.error(request, f"{blocked.message} {blocked.next_step}")
        return redirect(connection)
    return redirect_to_dispatch(request, result)


def _connection_or_404(request: Request, slug: str, connection_id: int) -> ProviderConnection:
    visible = ProviderConnection.objects.visible_to(request.user)
    scoped = visible.select_related("tenant", "workspace")
    return get_object_or_404(scoped, workspace__slug=slug, pk=connection_id)


def _managed(request: Request, slug: str, connection_id: int) -> ProviderConnection:
    connection = _connection_or_404(request, slug, connection_id)
    require_capability(request.user, connection.workspace, Capability.MANAGE_CONNECTIONS)
    return connection


def _saved(form: Any) -> bool:
    """Whether it could be stored; the form has the errors otherwise."""
    try:
        services.save_connection(form.instance)
    except ValidationError as error:
        form.add_error(None, error.messages)
        return False
    return True


def _form(
    request: Request, workspace: Workspace, form: Any, title: str, *, back: str = ""
) -> HttpResponse:
    framed = _framed(request, workspace, {"form": form, "title": title, "back": back})
    status = 400 if form.is_bound else 200
    return render(request, "providers/connection_form.html", framed, status=status)


def _matrix(connection: ProviderConnection) -> list[dict[str, Any]]:
    """What the last check found of reading and of writing, in the order of the probes."""
    probed = [(key, label, permission_for(path).read) for key, (label, path) in PROBES.items()]
    probed += [
        (key, f"Writing {in_sentence(kind.label_plural)}", kind.permission.write)
        for key, kind in WRITES.items()
    ]
    return [
        {"label": label, "permission": permission, **_found(result)}
        for key, label, permission in probed
        if (result := connection.check_results.get(key))
    ]


def _found(result: Any) -> dict[str, str]:
    word, icon, outcome = _WORDS.get(str(result), _WORDS["unknown"])
    return {"word": word, "icon": icon, "key": outcome}


def _last_check(request: Request, connection: ProviderConnection) -> OperationRun | None:
    runs = OperationRun.objects.visible_to(request.user).filter(
        tenant=connection.tenant_id,
        type=OperationRunType.PROVIDER_CONNECTION_CHECK,
        context__provider_connection_id=connection.pk,
    )
    return runs.newest_first().first()


def _framed(request: Request, workspace: Workspace, context: dict[str, Any]) -> dict[str, Any]:
    allowed = capabilities_of(request.user, workspace)
    return context | {
        "workspace": workspace,
        "section": "connections",
        "may_manage": Capability.MANAGE_CONNECTIONS in allowed,
        "may_check": Capability.CHECK_CONNECTION in allowed,
    }
