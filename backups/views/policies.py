"""Bulk actions on selected policies: add them to a backup set, or export them."""

from __future__ import annotations

import datetime as dt
import logging

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from backups import downloads, services
from backups.models import BackupSet, PolicyExport, SetPurpose
from inventory.selection import Selection, SelectionError, selected_policies
from operations.services import DispatchResult
from operations.views.start import redirect_to_dispatch, submission_of
from tenancy.capabilities import require_capability
from tenancy.clock import request_now
from tenancy.http import Request, action, page, render_checked, render_list, workspace_or_404
from tenancy.models import Workspace
from tenancy.roles import Capability
from tenancy.times import exact_text
from web.csv_export import Columns
from web.numbered import numbered_page

log = logging.getLogger(__name__)
NAMES = 20


@action("policy_list", "slug")
def policies_back_up(request: Request, slug: str) -> HttpResponse:
    """Ask for the name of the set; with a name, add the selection to it."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.START_BACKUP)
    try:
        selection = selected_policies(request, workspace)
    except SelectionError as error:
        return _redirect_with_error(request, workspace, error)
    name = request.POST.get("set_name")
    if name is None:
        return _ask_for_name(request, workspace, selection)
    try:
        results = services.add_policies(
            selection, name, by=request.user, submission=submission_of(request)
        )
    except ValidationError as error:
        return _ask_for_name(request, workspace, selection, name=name, error=error.messages[0])
    return _redirect_to_runs(request, workspace, results)


@action("policy_list", "slug")
def policies_export(request: Request, slug: str) -> HttpResponse:
    """Export the selection."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.EXPORT_POLICIES)
    try:
        selection = selected_policies(request, workspace)
    except SelectionError as error:
        return _redirect_with_error(request, workspace, error)
    results = services.export_policies(
        selection, by=request.user, submission=submission_of(request)
    )
    return _redirect_to_runs(request, workspace, results)


#: The columns of the list of exports as CSV.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "file": "file_name",
    "bytes": "size",
    "sha256": "sha256",
    "items": "item_count",
    "incomplete_items": "incomplete_count",
    "created_at": "created_at",
    "expires_at": "expires_at",
    "run": "operation_run_id",
}


@page
def export_list(request: Request, slug: str) -> HttpResponseBase:
    """The exports of a workspace, newest first."""
    workspace = workspace_or_404(request, slug)
    require_capability(request.user, workspace, Capability.EXPORT_POLICIES)
    exports = PolicyExport.objects.visible_to(request.user).filter(workspace=workspace)
    exports = exports.defer("archive").select_related("workspace", "tenant", "operation_run")
    exports = exports.order_by("-created_at", "-id")
    context = {
        "workspace": workspace,
        "section": "inventory",
        "title": "Exports",
        "noun": "export",
        "page": numbered_page(exports, request.GET.get("page")),
    }
    return render_list(request, "backups/export_list.html", context, rows=exports, columns=COLUMNS)


@page
def export_download(request: Request, slug: str, export_id: int) -> HttpResponseBase:
    """The archive, or a page that says that the export has expired."""
    exports = PolicyExport.objects.visible_to(request.user).defer("archive")
    exports = exports.select_related("workspace")
    export = get_object_or_404(exports, workspace__slug=slug, pk=export_id)
    require_capability(request.user, export.workspace, Capability.EXPORT_POLICIES)
    if export.is_expired:
        context = {"workspace": export.workspace, "section": "inventory", "export": export}
        return render(request, "backups/export_expired.html", context, status=410)
    log.info("export %s downloaded by %s", export.pk, request.user.username)
    return downloads.export_response(export)


def _ask_for_name(
    request: Request,
    workspace: Workspace,
    selection: Selection,
    *,
    name: str = "",
    error: str = "",
) -> HttpResponse:
    existing = BackupSet.objects.visible_to(request.user).filter(
        tenant__in=selection.by_tenant, purpose=SetPurpose.SELECTION
    )
    context = {
        "workspace": workspace,
        "section": "inventory",
        "selection": selection,
        "name": name or f"Selection of {exact_text(request_now(), dt.UTC)}",
        "names": existing.newest_first().values_list("name", flat=True).distinct()[:NAMES],
        "error": error,
    }
    return render_checked(request, "backups/policies_back_up.html", context, errors=error)


def _redirect_with_error(
    request: Request, workspace: Workspace, error: SelectionError
) -> HttpResponse:
    """Return to the list as it was: its address is the query of the form."""
    messages.error(request, str(error))
    address, query = reverse("policy_list", args=[workspace.slug]), request.GET.urlencode()
    return redirect(f"{address}?{query}" if query else address)


def _redirect_to_runs(
    request: Request, workspace: Workspace, results: list[DispatchResult]
) -> HttpResponse:
    if len(results) == 1:
        return redirect_to_dispatch(request, results[0])
    messages.success(request, f"{len(results)} runs started, one for each tenant.")
    return redirect("run_list", workspace.slug)
