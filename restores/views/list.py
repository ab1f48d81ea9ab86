"""The list of a workspace's restores."""

from __future__ import annotations

from django.http import HttpResponseBase

from restores.models import RestoreRun, RestoreStatus
from tenancy.filtering import ListFilter
from tenancy.http import Request, page, render_list, workspace_or_404
from web.csv_export import Columns
from web.numbered import has_rows, numbered_page

#: The columns of the export.
COLUMNS: Columns = {
    "id": "pk",
    "tenant": "tenant.name",
    "status": "status",
    "dry_run": "is_dry_run",
    "requested_by": "requested_by_name",
    "created_at": "created_at",
    "previewed_at": "previewed_at",
    "approved_at": "approved_at",
    "executed_at": "executed_at",
    "ended_at": "ended_at",
    "preview_run": "preview_run_id",
    "execution_run": "execute_run_id",
}


@page
def restore_list(request: Request, slug: str) -> HttpResponseBase:
    """The restores of a workspace, the newest first."""
    workspace = workspace_or_404(request, slug)
    filters = ListFilter(request.GET)
    status = filters.one_of("status", "Status", RestoreStatus.values)
    visible = RestoreRun.objects.visible_to(request.user).filter(workspace=workspace)
    restores = visible
    if filters.errors:
        restores = visible.none()
    elif status:
        restores = visible.filter(status=status)
    rows = restores.with_scope().with_unknown().newest_first()
    numbered = numbered_page(rows, request.GET.get("page"))
    context = {
        "workspace": workspace,
        "section": "restores",
        "title": "Restores",
        "noun": "restore",
        "filters": filters,
        "has_rows": has_rows(numbered, visible),
        "page": numbered,
        "statuses": RestoreStatus.choices,
        "status": status,
    }
    return render_list(
        request,
        "restores/restore_list.html",
        context,
        rows=rows,
        columns=COLUMNS,
        errors=filters.errors,
    )
